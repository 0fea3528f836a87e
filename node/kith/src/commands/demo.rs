//! `kith demo`: the main job, with two nodes of this process that know each
//! other only over the network.

use std::{path::Path, time::Duration};

use futures::TryStreamExt;
use node_core::{
    Failure, Request, Response,
    request::{DocumentView, PeerSyncState, Reach, Role, SpaceInfo, Status},
};
use node_model::{BlobId, DocumentId, SpaceId};
use node_runtime::{Handle, Indexing, Network, NodeEvent, Progress, StartConfig, Started, start};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::{
    args::Demo,
    doorway::{Doorway, bind, secret},
    error::CliError,
    guide,
    home::{Home, KeySeal, load_or_create},
    show::line,
};

/// How long one step may take on a slow machine.
const STEP_MAX: Duration = Duration::from_secs(60);

/// What both edit while they are apart.
const SHARED_DOCUMENT: &str = "content/family-shopping-list.md";

/// A sentence of the guide: it must not be readable on any disk.
const CANARY: &[u8] = b"Ask before you add a photo of somebody else.";

pub(super) async fn run(args: Demo, is_json: bool) -> Result<(), CliError> {
    let teller = Teller { is_json };
    let folder = tempfile::tempdir().map_err(|error| temporary(&error))?;
    let demo = tokio::select! {
        demo = play(&args, &teller, &folder) => demo,
        _ = tokio::signal::ctrl_c() => {
            teller.say("stopped; nothing is left behind", &json!({"step": "stopped"}));
            return Ok(());
        }
    };
    let (ada, ben, doorway) = demo?;
    if args.check {
        check_doorway(&doorway).await?;
        doorway.close().await;
        ada.started.stop().await;
        ben.started.stop().await;
        check_disks(folder.path())?;
        teller.say(
            "checked: both hold the same, nothing is readable on disk",
            &json!({"step": "checked", "ok": true}),
        );
        return Ok(());
    }
    teller.say(
        &format!(
            "\nBen's doorway is open:\n  {}\nCtrl-C ends the demo and removes everything.",
            doorway.entry
        ),
        &json!({"step": "doorway", "doorway": doorway.url, "entry": doorway.entry}),
    );
    // Without a handler the signal ends us anyway.
    let _ = tokio::signal::ctrl_c().await;
    doorway.close().await;
    ada.started.stop().await;
    ben.started.stop().await;
    Ok(())
}

struct Teller {
    is_json: bool,
}

impl Teller {
    fn say(&self, human: &str, value: &Value) {
        line(&if self.is_json { value.to_string() } else { human.to_owned() });
    }
}

/// A node of the demo.
struct Actor {
    name: &'static str,
    home: Home,
    /// Forgotten at the end: the keys are lost with it, on purpose.
    passphrase: String,
    started: Started,
}

impl Actor {
    async fn enter(name: &'static str, folder: &Path) -> Result<Self, CliError> {
        let root = folder.join(name.to_lowercase());
        let home = Home::find(Some(&root))?;
        home.prepare()?;
        let passphrase = secret();
        let started = wake(name, &home, &passphrase, true).await?;
        Ok(Self { name, home, passphrase, started })
    }

    /// Stops, and starts again with or without a network.
    async fn again(self, is_online: bool) -> Result<Self, CliError> {
        let Self { name, home, passphrase, started } = self;
        started.stop().await;
        let started = wake(name, &home, &passphrase, is_online).await?;
        Ok(Self { name, home, passphrase, started })
    }

    fn handle(&self) -> &Handle {
        &self.started.handle
    }
}

async fn wake(
    name: &str,
    home: &Home,
    passphrase: &str,
    is_online: bool,
) -> Result<Started, CliError> {
    let seal = KeySeal::Passphrase(passphrase.to_owned().into());
    let (keys, _) = load_or_create(home, seal)?;
    let network = if is_online {
        let listen = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"].map(String::from);
        Network::Listen { addresses: listen.into(), mdns: false, circuits: true }
    } else {
        Network::None
    };
    let config = StartConfig {
        data_dir: home.root().to_owned(),
        keys,
        agent_name: name.to_owned(),
        device_name: format!("{name}'s device"),
        sync_interval: Duration::from_secs(30 * 60),
        network,
        indexing: Indexing::AsItGoes,
    };
    start(config).await.map_err(|error| Failure::from(error).into())
}

async fn play(
    args: &Demo,
    teller: &Teller,
    folder: &TempDir,
) -> Result<(Actor, Actor, Doorway), CliError> {
    let listener = bind(args.doorway).await?;
    let ada = Actor::enter("Ada", folder.path()).await?;
    let ben = Actor::enter("Ben", folder.path()).await?;
    teller.say(
        "1. Two nodes run: Ada's and Ben's, each with its own keys and its own folder.",
        &json!({"step": "started"}),
    );
    let space = import_guide(&ada, teller, folder.path()).await?;
    meet(&ada, &ben, space, teller).await?;
    sync(&ben).await?;
    wait_for_blobs(ben.handle(), space).await?;
    let status = status(ben.handle()).await?;
    let of_space = status.spaces.iter().find(|status| status.info.space == space);
    let of_space = of_space.ok_or_else(|| wrong("Ben does not have the space"))?;
    teller.say(
        &format!(
            "4. Ben's node has it all: {} documents and {} files.",
            of_space.documents, of_space.blobs
        ),
        &json!({"step": "synced", "documents": of_space.documents, "blobs": of_space.blobs}),
    );
    let (ada, ben) = part_and_meet_again(ada, ben, space, teller).await?;
    compare(&ada, &ben, space).await?;
    teller.say(
        "6. Both hold the same, document by document and file by file.",
        &json!({"step": "equal"}),
    );
    let doorway = Doorway::open(ben.handle(), listener, secret(), &ben.home, None, None)?;
    Ok((ada, ben, doorway))
}

async fn import_guide(ada: &Actor, teller: &Teller, folder: &Path) -> Result<SpaceId, CliError> {
    let source = folder.join("guide");
    guide::write_to(&source).map_err(|error| temporary(&error))?;
    let found = Request::FoundSpace {
        name: "guide".to_owned(),
        reach: Reach::Private,
        has_open_history: true,
    };
    let Response::Space(SpaceInfo { space, .. }) = ada.handle().request(found).await? else {
        return Err(unexpected());
    };
    let (progress, _) = watch::channel(Progress::default());
    let report = ada.handle().import(space, source.clone(), progress).await?;
    std::fs::remove_dir_all(&source).map_err(|error| temporary(&error))?;
    if let Some(skipped) = report.skipped.first() {
        return Err(wrong(&format!("{} was left out: {}", skipped.path, skipped.why)));
    }
    teller.say(
        &format!(
            "2. Ada imported the guide: {} documents, among them five learning paths, and {} files.",
            report.documents, report.blobs
        ),
        &json!({"step": "imported", "documents": report.documents, "blobs": report.blobs}),
    );
    Ok(space)
}

async fn meet(ada: &Actor, ben: &Actor, space: SpaceId, teller: &Teller) -> Result<(), CliError> {
    let mut events = ada.handle().events();
    let issue = Request::IssueTicket {
        grant: Some((space, Role::Writer)),
        is_for_own_device: false,
        lifetime: Duration::from_secs(15 * 60),
    };
    let Response::Ticket(ticket) = ada.handle().request(issue).await? else {
        return Err(unexpected());
    };
    let Response::PairingCode { device, code } =
        ben.handle().request(Request::Pair { ticket, is_link: false }).await?
    else {
        return Err(unexpected());
    };
    let shown = async {
        loop {
            match events.recv().await {
                Ok(NodeEvent::PairingCode { code, .. }) => return Ok(code),
                Ok(NodeEvent::Changed { .. } | NodeEvent::Paired { .. }) => {}
                Err(_) => return Err(wrong("Ada's node showed no code")),
            }
        }
    };
    let shown = tokio::time::timeout(STEP_MAX, shown).await.map_err(|_| too_slow("pairing"))??;
    if shown != code {
        return Err(wrong("the two sides showed different codes"));
    }
    ben.handle().request(Request::ConfirmPairing { device, is_same: true }).await?;
    teller.say(
        &format!("3. Ben accepted Ada's ticket. Both saw the code {code}; now they are related."),
        &json!({"step": "paired", "code": code}),
    );
    Ok(())
}

async fn sync(actor: &Actor) -> Result<(), CliError> {
    let request = actor.handle().request(Request::Sync { device: None, is_full: false });
    let answer = tokio::time::timeout(STEP_MAX, request).await.map_err(|_| too_slow("sync"))??;
    let Response::Synced(report) = answer else {
        return Err(unexpected());
    };
    if report.peers.iter().any(|(_, state)| *state == PeerSyncState::Synced) {
        return Ok(());
    }
    Err(wrong(&format!("not in sync: {:?}", report.peers)))
}

async fn wait_for_blobs(handle: &Handle, space: SpaceId) -> Result<(), CliError> {
    let arrived = async {
        loop {
            let status = status(handle).await?;
            let missing = status.spaces.iter().find(|status| status.info.space == space);
            if missing.is_some_and(|status| status.blobs_missing == 0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(STEP_MAX, arrived).await.map_err(|_| too_slow("fetching the files"))?
}

async fn part_and_meet_again(
    ada: Actor,
    ben: Actor,
    space: SpaceId,
    teller: &Teller,
) -> Result<(Actor, Actor), CliError> {
    let (ada, ben) = (ada.again(false).await?, ben.again(false).await?);
    edit(&ada, space, "note_from_ada", "Milk is on me").await?;
    edit(&ben, space, "note_from_ben", "I bring the bread").await?;
    let (ada, ben) = (ada.again(true).await?, ben.again(true).await?);
    let Response::Identity(at) = ada.handle().request(Request::Identity).await? else {
        return Err(wrong("Ada's node does not know who it is"));
    };
    let addresses = ada.started.listening.clone();
    ben.handle().request(Request::AddPeer { device: at.device, addresses }).await?;
    sync(&ben).await?;
    for actor in [&ada, &ben] {
        let view = document(actor.handle(), space, SHARED_DOCUMENT).await?;
        if view.value.get("note_from_ada").is_none() || view.value.get("note_from_ben").is_none() {
            return Err(wrong(&format!("{} misses an edit after merging", actor.name)));
        }
    }
    teller.say(
        "5. Both went offline, both changed the shopping list; online again, both changes are there on both sides.",
        &json!({"step": "merged"}),
    );
    Ok((ada, ben))
}

async fn edit(actor: &Actor, space: SpaceId, path: &str, text: &str) -> Result<(), CliError> {
    let document = document(actor.handle(), space, SHARED_DOCUMENT).await?.document;
    let set = Request::SetValue { space, document, path: path.to_owned(), value: text.into() };
    actor.handle().request(set).await?;
    Ok(())
}

async fn document(handle: &Handle, space: SpaceId, text: &str) -> Result<DocumentView, CliError> {
    let find = Request::FindDocument { space, text: text.to_owned(), includes_removed: false };
    let Response::Found(document) = handle.request(find).await? else {
        return Err(unexpected());
    };
    read(handle, space, document).await
}

async fn read(
    handle: &Handle,
    space: SpaceId,
    document: DocumentId,
) -> Result<DocumentView, CliError> {
    let Response::Document(view) =
        handle.request(Request::ReadDocument { space, document }).await?
    else {
        return Err(unexpected());
    };
    Ok(view)
}

/// Compares all documents of both, and all files with what was imported.
async fn compare(ada: &Actor, ben: &Actor, space: SpaceId) -> Result<(), CliError> {
    let lists = [ada, ben].map(|actor| async move {
        let Response::Documents(documents) =
            actor.handle().request(Request::Documents { space }).await?
        else {
            return Err(unexpected());
        };
        Ok(documents)
    });
    let [of_ada, of_ben] = lists;
    let (of_ada, of_ben) = (of_ada.await?, of_ben.await?);
    if of_ada != of_ben || of_ada.len() != guide::files().count() {
        return Err(wrong("the two lists of documents differ"));
    }
    for summary in of_ada {
        let left = read(ada.handle(), space, summary.document).await?;
        let right = read(ben.handle(), space, summary.document).await?;
        if left.value != right.value || left.heads != right.heads {
            return Err(wrong(&format!("{:?} differs", summary.path)));
        }
        let blob = right.value.get("blob").and_then(Value::as_str).and_then(|id| id.parse().ok());
        if let Some(blob) = blob {
            compare_file(ben.handle(), space, blob, summary.path.as_deref()).await?;
        }
    }
    Ok(())
}

async fn compare_file(
    handle: &Handle,
    space: SpaceId,
    blob: BlobId,
    path: Option<&str>,
) -> Result<(), CliError> {
    let reader = handle.open_blob(space, blob).await?;
    let size = reader.size();
    let pieces: Vec<_> = reader.read(0..size).try_collect().await?;
    let bundled = guide::files().find(|(bundled, _)| Some(*bundled) == path);
    if bundled.is_some_and(|(_, bytes)| bytes == pieces.concat()) {
        return Ok(());
    }
    Err(wrong(&format!("{path:?} is not what was imported")))
}

async fn status(handle: &Handle) -> Result<Status, CliError> {
    let Response::Status(status) = handle.request(Request::Status).await? else {
        return Err(unexpected());
    };
    Ok(status)
}

/// A browser's first request, without the key: it must get nothing but a door.
async fn check_doorway(doorway: &Doorway) -> Result<(), CliError> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = doorway.url.trim_start_matches("http://");
    for (path, expected) in [("/health", "200"), ("/", "401"), ("/api/v1/status", "401")] {
        let asked = async {
            let mut stream = tokio::net::TcpStream::connect(host).await?;
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = asked.await.map_err(|error| wrong(&format!("the doorway: {error}")))?;
        if answer.split(' ').nth(1) != Some(expected) {
            return Err(wrong(&format!("the doorway answered {path} with {:.60}", answer)));
        }
    }
    Ok(())
}

/// Nothing that was imported may be readable in any file of both nodes.
fn check_disks(folder: &Path) -> Result<(), CliError> {
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.map_err(|error| wrong(&error.to_string()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let bytes = std::fs::read(entry.path()).map_err(|error| temporary(&error))?;
        if bytes.windows(CANARY.len()).any(|window| window == CANARY) {
            return Err(wrong(&format!("{} holds readable text", entry.path().display())));
        }
    }
    Ok(())
}

fn wrong(message: &str) -> CliError {
    CliError::machine(format!("the demo failed: {message}"), "kith demo -v, and tell us")
}

fn too_slow(what: &str) -> CliError {
    wrong(&format!("{what} took longer than {} s", STEP_MAX.as_secs()))
}

fn unexpected() -> CliError {
    wrong("an answer of another kind than the question")
}

fn temporary(error: &std::io::Error) -> CliError {
    CliError::machine(
        format!("the temporary folder cannot be used: {error}"),
        "free some space, or set TMPDIR",
    )
}
