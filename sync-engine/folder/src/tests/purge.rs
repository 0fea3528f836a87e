use std::collections::BTreeSet;

use node_model::DocumentId;
use sync_engine_core::store::Purged;

use super::*;

const GONE: DocumentId = DocumentId([0; 16]);

fn purge(store: &mut FolderStore) -> Purged {
    store.purge(&BTreeSet::from([GONE]), StoreEpoch([5; 16])).expect("purges")
}

fn holds(path: &Path, entry: &VerifiedEntry) -> bool {
    let bytes = fs::read(path).expect("is there");
    bytes.windows(entry.bytes().len()).any(|window| window == entry.bytes())
}

#[test]
fn each_device_takes_it_out_of_its_own_files_and_nobody_sees_it_any_more() {
    let folder = folder();
    let (of_ada, of_ben) = (entries(1, 4), entries(2, 4));
    let mut ada = look(folder.path(), ADA);
    append(&mut ada, &of_ada[..1]);
    append(&mut ada, &of_ada[1..]);
    append(&mut look(folder.path(), BEN), &of_ben);
    let mut ada = look(folder.path(), ADA);
    let purged = purge(&mut ada);
    assert_eq!(purged.entries, 4, "two of each");
    let left: BTreeSet<EntryId> =
        [&of_ada[1], &of_ada[3], &of_ben[1], &of_ben[3]].map(VerifiedEntry::id).into();
    let seen = |store: &FolderStore| ids(store).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(seen(&ada), left);
    assert_eq!(purge(&mut ada), Purged::default(), "nothing is left to do");
    let again = look(folder.path(), ADA);
    assert_eq!(seen(&again), left, "also for whoever looks again");

    let ours: Vec<PathBuf> = files(folder.path(), ADA)
        .iter()
        .map(|(number, _)| file(folder.path(), ADA, *number))
        .collect();
    assert!(ours.iter().all(|path| !of_ada.iter().step_by(2).any(|entry| holds(path, entry))));
    assert!(ours.iter().any(|path| holds(path, &of_ada[1])));
    assert!(holds(&file(folder.path(), BEN, 1), &of_ben[0]), "that is Ben's");
    let mut ben = look(folder.path(), BEN);
    assert_eq!(ids(&ben).len(), 6, "Ada's own are gone for him, too");
    assert_eq!(purge(&mut ben).entries, 2);
    assert_eq!(seen(&ben), left);
}

#[test]
fn a_purge_that_was_stopped_is_finished_by_the_next_one() {
    let folder = folder();
    let of_ada = entries(1, 4);
    append(&mut look(folder.path(), ADA), &of_ada);
    let before = fs::read(file(folder.path(), ADA, 1)).expect("is there");
    purge(&mut look(folder.path(), ADA));
    // As it is when the power goes before the old file does.
    fs::write(file(folder.path(), ADA, 1), before).expect("writes");
    let mut ada = look(folder.path(), ADA);
    assert_eq!(ids(&ada).len(), 4);
    assert_eq!(purge(&mut ada).entries, 2);
    assert_eq!(ids(&ada), [of_ada[1].id(), of_ada[3].id()]);
    assert!(!file(folder.path(), ADA, 1).exists());
}
