//! Who else is there: ports in use, a second node on a directory, signals.

use std::net::TcpListener;

use acceptance::{Home, Kith, Signal};

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one");
    let home = Home::new();
    let doorway = home.up().doorway(&address.to_string()).fails().await;
    doorway.is(5, "unreachable").says(address.port().to_string());
    assert!(doorway.fix.contains("--doorway"), "{doorway:?}");
    let listen = format!("/ip4/127.0.0.1/tcp/{}", address.port());
    let node = home.up().listen(&listen).fails().await;
    node.is(5, "unreachable").says(&listen);
    assert!(node.fix.contains("--listen"), "{node:?}");
    home.up().ready().await.stop().await;
}

#[tokio::test]
async fn an_address_that_is_none_is_named() {
    let home = Home::new();
    for bad in ["nonsense", "/ip4/127.0.0.1", "/ip4/192.0.2.1/tcp/0", "/ip4/127.0.0.1/tcp/99999"] {
        let failed = home.up().listen(bad).fails().await;
        failed.says(bad);
    }
}

#[tokio::test]
async fn a_second_node_on_a_directory_names_the_first() {
    let home = Home::new();
    let first = home.up().ready().await;
    let second = home.up().fails().await;
    second.is(1, "conflict");
    second.says(first.process().to_string());
    second.says(home.data_dir().to_string_lossy());
    // The first one is none the worse for it.
    home.new_space("album").await;
    first.stop().await;
}

#[tokio::test]
async fn a_command_asks_the_node_that_runs() {
    let home = Home::new();
    let running = home.up().ready().await;
    // It needs no passphrase, because it does not open the keys.
    home.kith(&["id"]).without("KITH_PASSPHRASE").json().await;
    home.new_space("album").await;
    running.kill().await;
    // The socket that was left behind is in nobody's way.
    assert!(home.data_dir().join("node.sock").exists());
    let spaces = home.kith(&["space", "list"]).json().await;
    assert!(spaces.to_string().contains("album"));
    home.up().ready().await.stop().await;
}

#[tokio::test]
async fn a_signal_ends_a_node_and_leaves_nothing_in_the_way() {
    for signal in [Signal::INT, Signal::TERM] {
        let home = Home::new();
        let running = home.up().ready().await;
        home.new_space("album").await;
        assert!(home.data_dir().join("node.sock").exists());
        let said = running.end(signal).await;
        assert_eq!(said.exit, 0, "{said:?}");
        for leftover in ["node.sock", "trust.db-wal", "trust.db-shm"] {
            assert!(!home.data_dir().join(leftover).exists(), "{leftover}");
        }
    }
}

#[tokio::test]
async fn a_data_directory_with_a_long_path_works() {
    let home = Home::new();
    let long = home.beside(&"long".repeat(40));
    let long = long.to_str().expect("plain");
    let made = Kith::new(&["--json", "--data-dir", long, "space", "new", "album"]).json().await;
    assert_eq!(made["name"], "album");
}
