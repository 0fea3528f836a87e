//! What mends a refusal: one whole command, with the names and ids that are known.
//!
//! Invariant: a command is printed so that a shell takes it apart into the words that were
//! meant, whatever people called their spaces. Who may type it, the message says.
//! Non-goal: failures that no command of Kith mends, such as those of a disk.

use std::{fmt, path::PathBuf};

use node_model::SpaceId;
use trust_core::{Role, TrustError};

use crate::{
    failure::{Failure, FailureKind},
    node::Node,
};

/// Admins that a message names: whom one can ask; the others are in `kith space members`.
const NAMED_ADMINS_MAX: usize = 3;

/// A command that mends a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mend {
    /// An admin gives a role.
    Grant {
        /// The space's name or id.
        space: String,
        /// Whom.
        party: String,
        /// What they may do then.
        role: Role,
    },
    /// An admin takes somebody out.
    Remove {
        /// The space's name or id.
        space: String,
        /// Whom.
        party: String,
    },
    /// Somebody keeps nothing for another person any more.
    StopKeeping {
        /// For whom.
        name: String,
    },
    /// The same for who is kept for.
    StopLetting {
        /// Whom.
        name: String,
    },
    /// Somebody keeps more for another person.
    KeepMore {
        /// For whom.
        name: String,
        /// How much, in GB.
        gigabytes: u64,
    },
    /// Somebody invites with a new ticket.
    Invite {
        /// To which space, by name or id.
        space: Option<String>,
        /// What they may do there.
        role: Option<Role>,
    },
    /// Shows who is in a space, and who its admins are.
    Members {
        /// The space's name or id.
        space: String,
    },
    /// Whoever left a conflict to the admins takes that back.
    Withdraw {
        /// The space's name or id.
        space: String,
        /// The document.
        document: String,
        /// The conflict.
        conflict: String,
    },
    /// The device that a person began with links another one.
    LinkDevice,
    /// Shows which devices are one's own.
    Devices,
    /// Makes another document.
    NewDocument {
        /// The space's name or id.
        space: String,
    },
    /// Brings what has not arrived yet.
    Synchronise,
    /// A member makes a newer pack.
    Pack {
        /// The space's name or id.
        space: String,
    },
    /// A device proves itself to a doorway again.
    Token {
        /// The doorway's host and port.
        host: String,
    },
    /// The owner of a node gives a program's key a rule.
    AllowKey {
        /// The key's name.
        name: String,
        /// The rule.
        rule: String,
    },
    /// The owner of a node makes a program's key.
    AddKey {
        /// The key's name.
        name: String,
        /// Its rules.
        rules: Vec<String>,
    },
    /// Asks for the passphrase again.
    TryAgain,
    /// Shows the recovery phrase, where the root is.
    ShowPhrase,
    /// Begins anew from the recovery phrase, in a new data directory.
    Restore {
        /// The new data directory.
        data_dir: PathBuf,
    },
    /// Lets the programs of this person read a file.
    MakeReadable {
        /// The file.
        path: PathBuf,
    },
    /// Lets the programs of this person write into a folder.
    MakeWritable {
        /// The folder.
        path: PathBuf,
    },
}

impl Mend {
    /// One of each, with names that a shell would take apart.
    #[must_use]
    pub fn examples() -> Vec<Self> {
        let space = || "Ada's $(album) & \"more\"".to_owned();
        let party = || "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK".to_owned();
        let path = || PathBuf::from("/media/Ada's stick");
        let rule = || "* /api/v1/spaces/%27/**".to_owned();
        vec![
            Self::Grant { space: space(), party: party(), role: Role::Writer },
            Self::Remove { space: space(), party: party() },
            Self::StopKeeping { name: space() },
            Self::StopLetting { name: space() },
            Self::KeepMore { name: space(), gigabytes: 20 },
            Self::Invite { space: None, role: None },
            Self::Invite { space: Some(space()), role: Some(Role::Custodian) },
            Self::Members { space: space() },
            Self::Withdraw {
                space: space(),
                document: "notes".to_owned(),
                conflict: "00".repeat(10),
            },
            Self::LinkDevice,
            Self::Devices,
            Self::NewDocument { space: space() },
            Self::Synchronise,
            Self::Pack { space: space() },
            Self::Token { host: "127.0.0.1:4718".to_owned() },
            Self::AllowKey { name: "bot".to_owned(), rule: rule() },
            Self::AddKey { name: "bot".to_owned(), rules: vec![rule(), rule()] },
            Self::TryAgain,
            Self::ShowPhrase,
            Self::Restore { data_dir: path() },
            Self::MakeReadable { path: path() },
            Self::MakeWritable { path: path() },
        ]
    }

    /// Its words, the program first.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let shown = |path: &PathBuf| path.display().to_string();
        match self {
            Self::Grant { space, party, role } => {
                all(&["kith", "space", "grant", space, party, &role.to_string()])
            }
            Self::Remove { space, party } => all(&["kith", "space", "revoke", space, party]),
            Self::StopKeeping { name } => {
                all(&["kith", "relation", "add", name, "--keep", "false"])
            }
            Self::StopLetting { name } => {
                all(&["kith", "relation", "add", name, "--let-keep", "false"])
            }
            Self::KeepMore { name, gigabytes } => {
                let gigabytes = gigabytes.to_string();
                all(&["kith", "relation", "add", name, "--quota-gb", &gigabytes])
            }
            Self::Invite { space, role } => {
                let mut words = all(&["kith", "ticket"]);
                if let Some(space) = space {
                    words.extend(all(&["--space", space]));
                    words.extend(role.iter().flat_map(|role| all(&["--role", &role.to_string()])));
                }
                words
            }
            Self::Members { space } => all(&["kith", "space", "members", space]),
            Self::Withdraw { space, document, conflict } => {
                all(&["kith", "conflicts", "withdraw", space, document, conflict])
            }
            Self::LinkDevice => all(&["kith", "device", "link"]),
            Self::Devices => all(&["kith", "device", "list"]),
            Self::NewDocument { space } => all(&["kith", "doc", "new", space]),
            Self::Synchronise => all(&["kith", "sync"]),
            Self::Pack { space } => all(&["kith", "pack", space, "new.kithpack"]),
            Self::Token { host } => all(&["kith", "token", &format!("http://{host}")]),
            Self::AllowKey { name, rule } => all(&["kith", "doorway", "keys", "allow", name, rule]),
            Self::AddKey { name, rules } => {
                let mut words = all(&["kith", "doorway", "keys", "add", name]);
                words.extend(rules.iter().flat_map(|rule| all(&["--allow", rule])));
                words
            }
            Self::TryAgain => all(&["kith", "status"]),
            Self::ShowPhrase => all(&["kith", "phrase", "show"]),
            Self::Restore { data_dir } => {
                all(&["kith", "--data-dir", &shown(data_dir), "phrase", "restore"])
            }
            Self::MakeReadable { path } => all(&["chmod", "u+r", &shown(path)]),
            Self::MakeWritable { path } => all(&["chmod", "-R", "u+w", &shown(path)]),
        }
    }
}

fn all(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.words().iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl Failure {
    /// A refusal; nothing was changed.
    #[must_use]
    pub fn refused(message: impl Into<String>, mend: &Mend) -> Self {
        Self::new(FailureKind::NotAllowed, message, mend.to_string())
    }
}

impl Node {
    /// A refusal that an admin of the space can mend, naming some of them.
    pub(crate) fn refused_in(&self, space: SpaceId, why: &str, mend: &Mend) -> Failure {
        let own = self.trust.agent();
        let members = self.trust.graph().spaces.get(&space).map(|facts| &facts.members);
        let admins = members
            .into_iter()
            .flatten()
            .filter(|(agent, member)| **agent != own && member.role.includes(Role::Admin));
        let named: Vec<String> = admins
            .take(NAMED_ADMINS_MAX)
            .map(|(agent, _)| printable(&self.trust.name_of(*agent)))
            .collect();
        let whom = match named.is_empty() {
            true => "an admin of it".to_owned(),
            false => format!("an admin of it ({})", named.join(", ")),
        };
        Failure::refused(format!("{why}; {whom} can mend that"), mend)
    }

    /// What the trust plane said, with the command by which somebody else does it.
    pub(crate) fn explained(&self, error: TrustError, mend: &Mend) -> Failure {
        match error {
            TrustError::NotAdmin(space) | TrustError::NotSenior(space, _) => {
                self.refused_in(space, &error.to_string(), mend)
            }
            TrustError::Ledger(_)
            | TrustError::Damaged
            | TrustError::NoSuchSpace
            | TrustError::NotAMember(_)
            | TrustError::NoDevice(_)
            | TrustError::NotRelated(_)
            | TrustError::NotOwnDevice(_)
            | TrustError::NoRoot
            | TrustError::BadLink
            | TrustError::Yourself
            | TrustError::GroupsOnlyRead
            | TrustError::NotAGroup
            | TrustError::ThisDevice
            | TrustError::TooMany => error.into(),
        }
    }

    /// What gives us a role.
    pub(crate) fn our_grant(&self, space: SpaceId, role: Role) -> Mend {
        let party = self.trust.agent().to_string();
        Mend::Grant { space: self.space_word(space), party, role }
    }

    /// How a command names a space: as people call it, where that means one space here and
    /// cannot be taken for something else; by its id otherwise.
    pub(crate) fn space_word(&self, space: SpaceId) -> String {
        let id = space.to_string();
        let Some(name) = self.trust.label_of(space) else { return id };
        let is_plain = printable(&name) == name && !name.starts_with('-') && !name.is_empty();
        let is_this = self.find_space(&name).is_ok_and(|found| found.space == space);
        if is_plain && is_this { name } else { id }
    }
}

/// What others wrote must not steer a terminal.
fn printable(text: &str) -> String {
    let is_steering = |letter: char| {
        let is_invisible = matches!(
            letter,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}'
        );
        letter.is_control() || is_invisible
    };
    text.chars().map(|letter| if is_steering(letter) { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        let grant = |space: &str| {
            let (space, party) = (space.to_owned(), "did:key:z6Mk".to_owned());
            Mend::Grant { space, party, role: Role::Writer }.to_string()
        };
        assert_eq!(grant("album"), "kith space grant album did:key:z6Mk writer");
        assert_eq!(grant("a b"), "kith space grant 'a b' did:key:z6Mk writer");
        assert_eq!(grant("$(x)'s"), r"kith space grant '$(x)'\''s' did:key:z6Mk writer");
        assert_eq!(grant("Küche"), "kith space grant 'Küche' did:key:z6Mk writer");
        let invite = Mend::Invite { space: Some("x".to_owned()), role: Some(Role::Reader) };
        assert_eq!(invite.to_string(), "kith ticket --space x --role reader");
        assert_eq!(printable("a\u{1b}[2J\u{202e}b"), "a\u{fffd}[2J\u{fffd}b");
    }
}
