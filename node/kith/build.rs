//! Lists the files of the bundled guide, so that the binary carries them.

use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=guide");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("guide");
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    let mut files = Vec::new();
    collect(&root, &root, &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for relative in files {
        // A copy, named relative to the table: another clone may share the target directory, and
        // the path of this one may be gone by then.
        let copy = Path::new("guide").join(&relative);
        if let Some(folder) = out.join(&copy).parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(out.join(&copy), fs::read(root.join(&relative))?)?;
        writeln!(table, "    ({relative:?}, include_bytes!({copy:?})),")?;
    }
    table.push_str("]\n");
    fs::write(out.join("guide.rs"), table)?;
    Ok(())
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Some(name) = path.strip_prefix(root)?.to_str() {
            files.push(name.replace('\\', "/"));
        }
    }
    Ok(())
}
