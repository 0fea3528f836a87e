//! Addresses of our own pages, and where a relative link of a document leads.

use node_model::{BlobId, DocumentId, SpaceId};

pub(crate) fn space(space: SpaceId) -> String {
    format!("/s/{space}")
}

pub(crate) fn document(space: SpaceId, document: DocumentId) -> String {
    format!("/s/{space}/d/{document}")
}

/// Where it is chosen what this device keeps of a space.
pub(crate) fn keep(space: SpaceId) -> String {
    format!("/s/{space}/keep")
}

/// What waits for a choice in a space.
pub(crate) fn conflicts(space: SpaceId) -> String {
    format!("/s/{space}/conflicts")
}

/// Where a choice about a document goes.
pub(crate) fn settle(space: SpaceId, document: DocumentId) -> String {
    format!("/s/{space}/d/{document}/conflicts")
}

/// Where a choice about a document is taken back.
pub(crate) fn undo(space: SpaceId, document: DocumentId) -> String {
    format!("/s/{space}/d/{document}/conflicts/undo")
}

/// Where a conflict of a document is left to others.
pub(crate) fn leave(space: SpaceId, document: DocumentId) -> String {
    format!("/s/{space}/d/{document}/conflicts/ask")
}

pub(crate) fn step(space: SpaceId, document: DocumentId, step: usize) -> String {
    format!("/s/{space}/p/{document}/{step}")
}

/// The name is there for whoever saves the file; the hash decides.
pub(crate) fn blob(space: SpaceId, blob: BlobId, name: &str) -> String {
    let name = if name.is_empty() { "file" } else { name };
    format!("/s/{space}/b/{blob}/{}", encode(name))
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether a link leads out, to where a browser can go.
pub(crate) fn leads_out(link: &str) -> bool {
    let link = link.trim_start().to_ascii_lowercase();
    ["https://", "http://", "mailto:"].iter().any(|scheme| link.starts_with(scheme))
}

/// The path within the space that a relative link of the document at `base`
/// means; `None` where it leads out, nowhere, or above the space.
pub(crate) fn resolve(base: Option<&str>, link: &str) -> Option<String> {
    let link = link.trim();
    let end = link.find(['?', '#']).unwrap_or(link.len());
    let path = decode(&link[..end])?;
    let has_scheme = path.split('/').next().is_some_and(|first| first.contains(':'));
    if path.is_empty() || has_scheme || path.starts_with("//") || path.contains(['\\', '\0']) {
        return None;
    }
    let mut parts: Vec<&str> = match base {
        Some(base) if !path.starts_with('/') => base.split('/').collect(),
        Some(_) | None => vec![""],
    };
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_links_resolve_within_the_space() {
        let base = Some("content/a.md");
        let to = |link: &str| resolve(base, link);
        assert_eq!(to("b.md").as_deref(), Some("content/b.md"));
        assert_eq!(to("../media/x%20y.png#top").as_deref(), Some("media/x y.png"));
        assert_eq!(to("/media/x.png?v=1").as_deref(), Some("media/x.png"));
        assert_eq!(to("./b.md").as_deref(), Some("content/b.md"));
        assert_eq!(resolve(None, "b.md").as_deref(), Some("b.md"));
        assert_eq!(resolve(Some("a.md"), "b.md").as_deref(), Some("b.md"));
    }

    #[test]
    fn what_leads_out_is_not_a_path() {
        let to = |link: &str| resolve(Some("content/a.md"), link);
        let out = ["https://x.org/", "javascript:alert(1)", "//x.org/a", "../../etc/passwd"];
        for link in out.into_iter().chain(["#top", "", "%zz", "a\\b", "data:text/html,x", "%6a:x"])
        {
            assert_eq!(to(link), None, "{link}");
        }
        assert!(leads_out(" HTTPS://x.org") && leads_out("mailto:a@b"));
        assert!(!leads_out("javascript:alert(1)") && !leads_out("data:text/html,x"));
    }

    #[test]
    fn names_survive_in_an_address() {
        let name = "Großes Foto/1 \"x\".png";
        assert_eq!(decode(&encode(name)).as_deref(), Some(name));
        assert!(encode(name).is_ascii());
    }
}
