use super::*;

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = Home { root: folder.path().to_owned() };
    (folder, home)
}

fn passphrase(text: &str) -> KeySeal {
    KeySeal::Passphrase(Zeroizing::new(text.to_owned()))
}

#[test]
fn keys_open_with_their_passphrase_only() {
    let (_folder, home) = home();
    let (new, is_new) = load_or_create(&home, passphrase("right")).expect("creates");
    assert!(is_new);
    let (read, is_new) = load_or_create(&home, passphrase("right")).expect("opens");
    assert!(!is_new);
    assert_eq!(read.device.secret(), new.device.secret());
    assert_eq!(read.hpke_seed(), new.hpke_seed());
    let wrong = load_or_create(&home, passphrase("wrong")).err().expect("is refused");
    assert_eq!(wrong.exit, 3);
    let file = fs::read(home.keys()).expect("is there");
    let secret = BASE64.encode(new.device.secret());
    assert!(!String::from_utf8_lossy(&file).contains(&secret[..40]));
}

#[test]
fn damaged_and_newer_key_files_are_named_and_kept() {
    let (_folder, home) = home();
    load_or_create(&home, KeySeal::Plain).expect("creates");
    let good = fs::read_to_string(home.keys()).expect("is there");
    let newer = good.replace("\"format\": 2", "\"format\": 9");
    for bad in ["", "{", "[]", &newer, &good.replace("keys\": \"", "keys\": \"AAAA")] {
        fs::write(home.keys(), bad).expect("writes");
        let error = load_or_create(&home, KeySeal::Plain).err().expect("is refused");
        assert!(error.message.contains("keys.json"), "{error}");
        assert_eq!(fs::read_to_string(home.keys()).expect("is there"), bad);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_the_keys() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, home) = home();
    load_or_create(&home, KeySeal::Plain).expect("creates");
    let mode = fs::metadata(home.keys()).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
