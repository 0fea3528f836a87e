//! `kith blob`.

use std::{io::Write, path::Path};

use axum::body::Body;
use node_core::{Failure, FailureKind, Mend};
use serde_json::json;
use tokio_util::io::ReaderStream;

use super::Asking;
use crate::{
    args::Blob,
    client::escape,
    error::CliError,
    show::{answer, bytes, list, number, table, text},
};

pub(super) async fn run(asking: &Asking<'_>, command: Blob) -> Result<(), CliError> {
    match command {
        Blob::Put { space, file } => put(asking, &space, &file).await,
        Blob::Get { space, hash, file } => get(asking, &space, &hash, &file).await,
        Blob::List { space } => {
            let blobs = asking.client.get(&blobs_path(&space)).await?;
            answer(asking.is_json, &blobs, || {
                let rows: Vec<_> = list(&blobs, "blobs")
                    .iter()
                    .map(|blob| {
                        vec![
                            text(blob, "name").to_owned(),
                            bytes(number(blob, "size")),
                            text(blob, "mime").to_owned(),
                            text(blob, "blob").to_owned(),
                        ]
                    })
                    .collect();
                table(&["NAME", "SIZE", "TYPE", "HASH"], &rows)
            });
            Ok(())
        }
    }
}

fn blobs_path(space: &str) -> String {
    format!("/api/v1/spaces/{}/blobs", escape(space))
}

async fn put(asking: &Asking<'_>, space: &str, path: &Path) -> Result<(), CliError> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { None } else { path.file_name() };
    let name = name.map(|name| name.to_string_lossy().into_owned());
    let body = if is_stdin {
        Body::from_stream(ReaderStream::new(tokio::io::stdin()))
    } else {
        let file = tokio::fs::File::open(path).await.map_err(|error| unreadable(path, &error))?;
        let metadata = file.metadata().await.map_err(|error| unreadable(path, &error))?;
        if metadata.is_dir() {
            return Err(CliError::usage(
                format!("{} is a folder", path.display()),
                "kith import FOLDER --space SPACE",
            ));
        }
        Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024))
    };
    let query = name.as_deref().map(|name| format!("?name={}", escape(name))).unwrap_or_default();
    let mime = "application/octet-stream";
    let path = format!("{}{query}", blobs_path(space));
    let stored = asking.client.upload(&path, body, mime).await?;
    answer(asking.is_json, &stored, || {
        format!("{}  {}", text(&stored, "blob"), bytes(number(&stored, "size")))
    });
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    let message = format!("{} cannot be read: {error}", path.display());
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        return Failure::refused(message, &Mend::MakeReadable { path: path.to_owned() }).into();
    }
    Failure::new(FailureKind::NotFound, message, "check the name of the file").into()
}

async fn get(asking: &Asking<'_>, space: &str, hash: &str, file: &Path) -> Result<(), CliError> {
    let path = format!("{}/{}", blobs_path(space), escape(hash));
    if file == Path::new("-") {
        let mut out = std::io::stdout().lock();
        return asking.client.download(&path, |piece| out.write_all(&piece)).await;
    }
    let unwritable = |error: std::io::Error| {
        CliError::machine(
            format!("{} cannot be written: {error}", file.display()),
            "look at the disk and its permissions, then try again",
        )
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Nobody sees half a file under its name.
    let mut part =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(unwritable)?;
    let mut size = 0;
    asking
        .client
        .download(&path, |piece| {
            size += piece.len() as u64;
            part.write_all(&piece)
        })
        .await?;
    part.persist(file).map_err(|error| unwritable(error.error))?;
    let done = json!({"blob": hash, "size": size, "file": file});
    answer(asking.is_json, &done, || format!("{}  {}", file.display(), bytes(size)));
    Ok(())
}
