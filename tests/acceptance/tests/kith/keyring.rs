//! Keys that the operating system's keyring opens: a real one, on a session bus of its own.

use acceptance::{Home, Kith, skip, text};
use serde_json::Value;

/// Starts a keyring that remembers, and then its arguments.
const WITH_KEYRING: &str = "printf secret | gnome-keyring-daemon --unlock --components=secrets \
                            >/dev/null 2>&1; exec \"$@\"";

const WITHOUT_KEYRING: &str = "exec \"$@\"";

fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// A command without a passphrase, in a session of its own.
fn kith(home: &Home, session: &str, arguments: &[&str]) -> Kith {
    let data = home.data_dir().to_string_lossy().into_owned();
    let wrapper = ["dbus-run-session", "--", "sh", "-c", session, "sh"];
    let person = home.beside("person").to_string_lossy().into_owned();
    Kith::under(&wrapper, &[arguments, &["--json", "--data-dir", &data]].concat())
        .env("HOME", &person)
        .env("XDG_DATA_HOME", &format!("{person}/share"))
        .without("KITH_PASSPHRASE")
}

#[tokio::test]
async fn the_keyring_opens_the_keys_where_there_is_one() {
    let missing =
        ["dbus-run-session", "gnome-keyring-daemon"].into_iter().find(|it| !is_installed(it));
    if let Some(missing) = missing {
        return skip(&format!("keys in a keyring: there is no {missing} here"));
    }
    let home = Home::new();
    std::fs::create_dir_all(home.beside("person/share")).expect("a folder");
    let first = kith(&home, WITH_KEYRING, &["id"]).json().await;
    let keys =
        std::fs::read_to_string(home.data_dir().join("identity/keys.json")).expect("is there");
    let keys: Value = serde_json::from_str(&keys).expect("JSON");
    assert_eq!(text(&keys, "seal"), "keyring");
    let again = kith(&home, WITH_KEYRING, &["id"]).json().await;
    assert_eq!(first, again);

    // The disk without the person's session opens nothing, and nothing is lost by trying.
    let stolen = kith(&home, WITHOUT_KEYRING, &["id"]).fails().await;
    stolen.is(3, "not-allowed").says("keyring");
    assert_eq!(kith(&home, WITH_KEYRING, &["id"]).json().await, first);

    // A passphrase that is given counts more than a keyring.
    let other = Home::new();
    std::fs::create_dir_all(other.beside("person/share")).expect("a folder");
    kith(&other, WITH_KEYRING, &["id"]).env("KITH_PASSPHRASE", "given").json().await;
    kith(&other, WITHOUT_KEYRING, &["id"]).env("KITH_PASSPHRASE", "given").json().await;
    kith(&other, WITHOUT_KEYRING, &["id"])
        .env("KITH_PASSPHRASE", "other")
        .fails()
        .await
        .is(3, "not-allowed");
}
