use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use node_model::{AgentId, BlobId, DeviceId, DocumentId, SpaceId};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    files::Files,
    read::{FILE_BYTES_READ_MAX, LINE_BYTES_MAX, RECORDS_MAX, newest},
    *,
};
use crate::{Network, testing::test_node};

const ALL: Wanted = Wanted { since: Timestamp(0), event: None };

fn access(by: By) -> Record {
    Record {
        event: Event::Access,
        by,
        what: What::Route { method: "GET", template: Some("/api/v1/spaces/{space}") },
        about: About::default(),
        search: None,
        outcome: Outcome::Allowed,
        status: Some(200),
        error: None,
        times: 1,
        duration: Some(Duration::from_micros(2_900)),
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn log_in(folder: &Path) -> (AuditLog, Running) {
    start(folder.to_owned(), Clock::start()).expect("a thread")
}

fn read_all(files: &Files) -> Found {
    newest(files.to_read().expect("opens"), &ALL).expect("reads")
}

fn lines(path: impl AsRef<Path>) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("is there");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_record_is_one_line_as_described() {
    let at = Timestamp(1_795_219_200_999);
    let record = Record {
        event: Event::Search,
        by: By::Session,
        what: What::Route { method: "GET", template: Some("/search") },
        search: Some(Searched { characters: 14, results: Some(3) }),
        ..access(By::Nobody)
    };
    let expected = json!({
        "at": "2026-11-21T00:00:00Z", "event": "search", "by": "session", "what": "GET /search",
        "query_characters": 14, "results": 3, "outcome": "allowed", "status": 200,
        "duration_ms": 2,
    });
    let line = record.line(at);
    assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON"), expected);
    assert_eq!(line.find('\n'), Some(line.len() - 1));

    let (device, agent, space) = (DeviceId([1; 32]), AgentId([2; 32]), SpaceId([3; 32]));
    let denied = node_core::Denied {
        device,
        agent: Some(agent),
        what: "hold",
        space: Some(space),
        why: "not-a-member",
        times: 7,
    };
    let expected = json!({
        "at": "2026-11-21T00:00:00Z", "event": "access", "by": format!("device:{device}"),
        "by_agent": agent.to_string(), "what": "hold", "space": space.to_string(),
        "outcome": "denied", "error": "not-a-member", "times": 7,
    });
    let line = Record::from(denied).line(at);
    assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON"), expected);
}

#[test]
fn the_longest_line_can_be_read_back() {
    let (agent, device) = (Some(AgentId([255; 32])), DeviceId([255; 32]));
    let record = Record {
        by: By::Device { device, agent },
        about: About {
            space: Some(SpaceId([255; 32])),
            document: Some(DocumentId([255; 16])),
            blob: Some(BlobId([255; 32])),
            agent,
            device: Some(device),
        },
        search: Some(Searched { characters: usize::MAX, results: Some(usize::MAX) }),
        times: u32::MAX,
        duration: Some(Duration::MAX),
        error: Some("a-stable-code-that-is-rather-long"),
        ..access(By::Nobody)
    };
    let line = record.line(Timestamp(0));
    assert!(line.len() < 1_000, "{}", line.len());
    let found = newest([Cursor::new(line)], &ALL).expect("reads");
    assert_eq!((found.records.len(), found.passed_over), (1, 0));
}

#[test]
fn full_files_make_room_and_only_the_newest_are_kept() {
    let folder = folder();
    let mut files = Files::new(folder.path().to_owned(), 300);
    let line = |at: u64| access(By::LocalToken).line(Timestamp(at * 1_000));
    let length = u64::try_from(line(0).len()).expect("short");
    for at in 0..40 {
        files.append(line(at).as_bytes()).expect("appends");
    }
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .expect("lists")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names, ["audit.1.jsonl", "audit.2.jsonl", "audit.3.jsonl", "audit.jsonl"]);
    for name in names {
        let length = fs::metadata(folder.path().join(name)).expect("is there").len();
        assert!(length <= 300, "{length}");
    }
    let a_file = 300 / length;
    let kept = a_file * 3 + (40 - 1) % a_file + 1;
    let found = read_all(&files);
    let times: Vec<_> = found.records.iter().map(|record| record["at"].clone()).collect();
    let expected: Vec<_> =
        (40 - kept..40).map(|at| Value::from(Timestamp(at * 1_000).rfc3339())).collect();
    assert_eq!(times, expected);
}

#[test]
#[cfg(unix)]
fn only_the_owner_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let mut files = Files::new(folder.path().to_owned(), 1);
    for _ in 0..2 {
        files.append(b"{}\n").expect("appends");
    }
    for name in ["audit.jsonl", "audit.1.jsonl"] {
        let mode = fs::metadata(folder.path().join(name)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_torn_last_line_spoils_itself_only() {
    let folder = folder();
    let line = access(By::LocalSocket).line(Timestamp(0));
    let path = folder.path().join("audit.jsonl");
    for cut in 0..line.len() {
        fs::write(&path, [line.as_bytes(), &line.as_bytes()[..cut]].concat()).expect("writes");
        let mut files = Files::new(folder.path().to_owned(), 10_000);
        files.append(line.as_bytes()).expect("appends");
        let found = read_all(&files);
        // Only the line feed of a whole line is missing.
        let is_whole = cut == line.len() - 1;
        let expected = (2 + usize::from(is_whole), usize::from(cut > 0 && !is_whole));
        assert_eq!((found.records.len(), found.passed_over), expected, "{cut}");
    }
}

#[test]
fn what_is_not_a_record_is_passed_over() {
    let good = access(By::LocalSocket).line(Timestamp(5_000));
    let long = format!(
        "{{\"at\":\"1970-01-01T00:00:05Z\",\"event\":\"access\",\"x\":\"{}\"}}",
        "x".repeat(LINE_BYTES_MAX)
    );
    let bad: [&[u8]; 8] = [
        b"\xff\xfe",
        b"[]",
        b"{\"at\":\"1970-01-01T00:00:05Z\"}",
        b"{\"at\":\"1970-01-01T00:00:05Z\",\"event\":\"other\"}",
        b"{\"at\":\"1970-01-01T00:00:05+1\",\"event\":\"access\"}",
        b"{\"at\":5,\"event\":\"access\"}",
        b"{\"at\":\"zzzz-01-01T00:00:05Z\",\"event\":\"access\"}",
        long.as_bytes(),
    ];
    let nested = "[".repeat(LINE_BYTES_MAX);
    let mut file = bad.join(&b'\n');
    file.extend_from_slice(format!("\n{nested}\n\n\n{good}").as_bytes());
    let found = newest([Cursor::new(file)], &ALL).expect("reads");
    assert_eq!((found.records.len(), found.passed_over), (1, bad.len() + 1));
    assert!(!found.is_truncated);
}

#[test]
fn an_answer_is_bounded_and_holds_the_newest() {
    let line = |at: u64| access(By::LocalSocket).line(Timestamp(at * 1_000));
    let count = u64::try_from(RECORDS_MAX).expect("fits");
    let older: String = (0..count).map(line).collect();
    let newer: String = (count..count + 5).map(line).collect();
    let files = || [Cursor::new(older.clone()), Cursor::new(newer.clone())];
    let found = newest(files(), &ALL).expect("reads");
    assert!(found.is_truncated && found.records.len() == RECORDS_MAX);
    assert_eq!(found.records[0]["at"], Timestamp(5_000).rfc3339());
    let few = Wanted { since: Timestamp((count + 3) * 1_000), event: Some(Event::Access) };
    let found = newest(files(), &few).expect("reads");
    assert_eq!((found.records.len(), found.is_truncated), (2, false));
    let none = Wanted { event: Some(Event::Search), ..ALL };
    assert_eq!(newest(files(), &none).expect("reads"), Found::default());

    let mut huge = vec![b'x'; usize::try_from(FILE_BYTES_READ_MAX).expect("fits")];
    huge.extend_from_slice(format!("\n{newer}").as_bytes());
    let found = newest([Cursor::new(huge)], &ALL).expect("reads");
    assert_eq!((found.records.len(), found.passed_over, found.is_truncated), (5, 0, true));
}

#[tokio::test]
async fn what_was_written_is_read_at_once_and_after_a_restart() {
    let folder = folder();
    let (log, running) = log_in(folder.path());
    assert_eq!(log.read(ALL).await.expect("reads"), Found::default());
    assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 0);
    log.write(access(By::LocalToken));
    log.write(Record { event: Event::Search, ..access(By::Session) });
    let found = log.read(ALL).await.expect("reads");
    let by: Vec<_> = found.records.iter().map(|record| record["by"].clone()).collect();
    assert_eq!(by, ["local-token", "session"]);
    log.write(access(By::LocalSocket));
    running.stop().await;
    assert!(log.read(ALL).await.is_err(), "it has ended");

    let (log, running) = log_in(folder.path());
    log.write(access(By::Session));
    let since = log.hours_ago(1);
    let found = log.read(Wanted { since, event: None }).await.expect("reads");
    assert_eq!(found.records.len(), 4);
    running.stop().await;
}

#[tokio::test]
async fn whoever_has_no_right_cannot_fill_the_log() {
    let folder = folder();
    let (log, running) = log_in(folder.path());
    let device = DeviceId([1; 32]);
    for _ in 0..250 {
        log.write(access(By::Nobody));
        log.write(access(By::Device { device, agent: None }));
    }
    log.write(access(By::LocalToken));
    running.stop().await;
    let lines = lines(folder.path().join("audit.jsonl"));
    let (last, rest) = lines.split_last().expect("lines");
    let (told, strangers) = rest.split_last().expect("lines");
    assert_eq!((&last["by"], &told["event"]), (&json!("local-token"), &json!("dropped")));
    // The burst, and what a slow machine has earned meanwhile.
    let told = usize::try_from(told["count"].as_u64().expect("a count")).expect("small");
    assert!((100..500).contains(&strangers.len()), "{}", strangers.len());
    assert_eq!(strangers.len() + told, 500);
}

#[tokio::test]
async fn what_does_not_fit_is_counted() {
    let folder = folder();
    let (messages, received) = mpsc::channel(2);
    let (dropped, clock) = (Arc::new(AtomicU64::new(0)), Clock::start());
    let log = AuditLog { messages, dropped: Arc::clone(&dropped), clock };
    for _ in 0..5 {
        log.write(access(By::Session));
    }
    drop(log);
    let files = Files::new(folder.path().to_owned(), 10_000);
    Worker::new(files, received, dropped, clock).run().await;
    let lines = lines(folder.path().join("audit.jsonl"));
    let events: Vec<_> = lines.iter().map(|line| line["event"].clone()).collect();
    assert_eq!(events, ["dropped", "access", "access"]);
    assert_eq!(lines[0]["count"], 3);
}

#[tokio::test]
async fn a_disk_that_refuses_is_told_of_later() {
    let folder = folder();
    let missing: PathBuf = folder.path().join("later");
    let (log, running) = log_in(&missing);
    log.write(access(By::Session));
    let nothing = log.read(ALL).await.expect("no file is no error");
    assert_eq!(nothing.records.len(), 0);
    fs::create_dir(&missing).expect("creates");
    log.write(access(By::Session));
    running.stop().await;
    let lines = lines(missing.join("audit.jsonl"));
    assert_eq!((&lines[0]["event"], &lines[0]["count"]), (&json!("dropped"), &json!(1)));
    assert_eq!((lines.len(), &lines[1]["event"]), (2, &json!("access")));
}

#[tokio::test]
async fn a_node_keeps_its_log_in_its_folder() {
    let node = test_node("Ada", Network::None).await;
    node.handle.audit().write(access(By::LocalSocket));
    node.started.stop().await;
    assert_eq!(lines(node.folder.path().join("audit.jsonl")).len(), 1);
}
