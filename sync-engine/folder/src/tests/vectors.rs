//! A whole file of entries, as it is written down.

use serde::{Deserialize, Serialize};
use sync_engine_core::store::Cursor;

use super::*;
use crate::file::{Head, Record, join};

const VECTOR: &str = include_str!("../../../../docs/protocol/vectors/folder.json");

/// From this package's folder, where tests run. `KITH_BLESS=1` writes the file anew.
const PATH: &str = "../../docs/protocol/vectors/folder.json";

/// Ids as in names, bytes in hexadecimal.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    /// Below the folder.
    path: String,
    ids: Vec<String>,
    file: String,
}

#[test]
fn the_vector_holds() {
    let all = entries(1, 2);
    let ids: Vec<EntryId> = all.iter().map(VerifiedEntry::id).collect();
    let cursor = Cursor { epoch: StoreEpoch([8; 16]), after: 7, has_refused: false };
    let appended = |source, cursor, entry: &VerifiedEntry| Record::Entries {
        source,
        cursor,
        ids: join(&[entry.id()]),
        lengths: vec![u32::try_from(entry.bytes().len()).expect("is short")],
        bundles: join(&[]),
    };
    let records = vec![
        appended(None, None, &all[0]),
        appended(Some(BEN), Some(cursor), &all[1]),
        Record::Aside { ids: join(&ids[..1]) },
    ];
    let epoch = StoreEpoch([9; 16]);
    let head = Head { space: SPACE, writer: ADA, number: 3, epoch, records };
    let bodies = all.iter().flat_map(|entry| entry.bytes().to_vec()).collect::<Vec<_>>();
    let bytes = head.encode(&bodies);

    let folder = folder();
    let path = file(folder.path(), ADA, 3);
    let relative = path.strip_prefix(folder.path()).expect("is in it");
    let vector = Vector {
        path: relative.to_str().expect("is plain").replace('\\', "/"),
        ids: ids.iter().map(ToString::to_string).collect(),
        file: data_encoding::HEXLOWER.encode(&bytes),
    };
    if std::env::var_os("KITH_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&vector).expect("it is JSON");
        fs::write(PATH, text + "\n").expect("the repository can be written");
        return;
    }
    assert_eq!(serde_json::from_str::<Vector>(VECTOR).expect("it is ours"), vector);
    fs::create_dir_all(path.parent().expect("has one")).expect("creates");
    fs::write(&path, bytes).expect("writes");
    let theirs = look_closely(folder.path(), BEN);
    assert_eq!((super::ids(&theirs), theirs.passed_over()), (ids.clone(), &[][..]));
    let own = look_closely(folder.path(), ADA);
    assert_eq!((super::ids(&own), own.cursor(BEN)), (ids[1..].to_vec(), Ok(Some(cursor))));
}
