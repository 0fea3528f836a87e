//! Keys of programs: who carries one may use the routes that its rules name.
//!
//! Invariants: a change is answered after it is on the disk, and holds from the next
//! request on; a file that cannot be read opens nothing, and is not replaced.
//! Non-goal: the person's own ways in; no rule is about those.

pub(crate) mod book;
mod file;
pub(crate) mod pace;
pub(crate) mod rule;

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use node_core::{Failure, FailureKind};
use node_model::Timestamp;

use self::{
    book::{Book, Verdict},
    rule::Asked,
};

/// The keys of programs of one data directory. Cheap to clone; all doorways of a node have
/// the same.
#[derive(Clone)]
pub struct ProgramKeys(Arc<Shared>);

struct Shared {
    path: PathBuf,
    /// What is on the disk, and who used a key since; nothing before it is needed.
    book: Mutex<Option<Book>>,
    /// Held from reading what shall change until the disk has it.
    change: Arc<tokio::sync::Mutex<()>>,
}

impl fmt::Debug for ProgramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProgramKeys").field(&self.0.path).finish()
    }
}

impl ProgramKeys {
    /// Those in this file, which is read when it is first needed.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        let book = Mutex::new(None);
        Self(Arc::new(Shared { path, book, change: Arc::default() }))
    }

    /// May whoever carries the key with this hash do that now?
    ///
    /// # Errors
    /// [`Failure`] when the file cannot be read.
    pub(crate) async fn decide(
        &self,
        hash: &[u8; 32],
        asked: Option<&Asked>,
        now: Timestamp,
    ) -> Result<Verdict, Failure> {
        self.load().await?;
        let mut open = self.open();
        let Some(book) = open.as_mut() else { return Ok(Verdict::Unknown) };
        let verdict = book.decide(hash, asked, now);
        let is_first = match verdict {
            Verdict::Allowed(name, _) => book.used(name, now),
            Verdict::NoRule(_) | Verdict::Unknown => false,
        };
        drop(open);
        if is_first {
            self.remember_use();
        }
        Ok(verdict)
    }

    /// The keys as they are.
    ///
    /// # Errors
    /// [`Failure`] when the file cannot be read.
    pub(crate) async fn book(&self) -> Result<Book, Failure> {
        self.load().await?;
        Ok(self.open().clone().unwrap_or_default())
    }

    /// Changes the keys; once it returns, the change is on the disk and holds.
    ///
    /// # Errors
    /// [`Failure`] of the change or the disk; then everything is as it was.
    pub(crate) async fn change<T>(
        &self,
        change: impl FnOnce(&mut Book) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let changing = Arc::clone(&self.0.change).lock_owned().await;
        let mut book = self.book().await?;
        let answer = change(&mut book)?;
        let (shared, written) = (Arc::clone(&self.0), book.clone());
        // Whoever asked may hang up; the disk and the memory still say the same.
        let writing = tokio::task::spawn_blocking(move || {
            let _changing = changing;
            file::write(&shared.path, &written)?;
            let mut open = shared.book.lock().unwrap_or_else(PoisonError::into_inner);
            let used = open.take();
            *open = Some(written.with_uses_of(used.as_ref()));
            Ok::<_, Failure>(())
        });
        writing.await.map_err(|_| stopping())??;
        Ok(answer)
    }

    /// Once a day for each key, and nobody waits for it.
    fn remember_use(&self) {
        let keys = self.clone();
        tokio::spawn(async move {
            if let Err(error) = keys.change(|_| Ok(())).await {
                tracing::warn!(%error, "cannot note when a key was used");
            }
        });
    }

    async fn load(&self) -> Result<(), Failure> {
        if self.open().is_some() {
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        let reading = tokio::task::spawn_blocking(move || {
            let read = file::read(&shared.path)?;
            let mut open = shared.book.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody may have been faster, and have changed it since.
            open.get_or_insert(read);
            Ok::<_, Failure>(())
        });
        reading.await.map_err(|_| stopping())?
    }

    fn open(&self) -> MutexGuard<'_, Option<Book>> {
        // Nobody panics halfway through a change of it.
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stopping() -> Failure {
    let message = "the node is stopping";
    Failure::new(FailureKind::Unreachable, message, "kith up, then try again")
}
