use std::{
    collections::{BTreeSet, VecDeque},
    path::PathBuf,
    time::Duration,
};

use node_core::{Failure, FailureKind};
use node_model::{SpaceId, seal::SealKey};
use sync_engine_sqlite::search::{Opened, Query, SearchError, SearchIndex};
use tokio::sync::mpsc;

use super::{
    ANSWER_MAX, Answer, CATCH_UP_MAX, Inbox, Indexing, QUESTIONS_MAX, Question, SearchConfig,
    calm::Calm,
    catch_up::{Batch, CatchUp, Trouble},
    failure,
};
use crate::{clock::Clock, driver::Call};

/// How often a run starts over with an empty index: whatever fails again will go on
/// failing.
const FRESH_STARTS_MAX: usize = 1;

/// The index is brought up to date after so much calm, unless somebody asks: documents
/// that arrive change by change are read once.
const READ_CALM: Duration = Duration::from_millis(500);

/// Without calm, after so long: who asks then need not wait for everything.
const READ_LATEST: Duration = Duration::from_secs(5);

/// The file is written after so much calm: that takes as long as the index is large, and
/// whoever writes a document writes another.
const SAVE_CALM: Duration = Duration::from_secs(10);

/// Without calm, after so long: what a power cut costs is indexed again in less.
const SAVE_LATEST: Duration = Duration::from_secs(5 * 60);

/// Owns the index.
pub(super) struct Worker {
    clock: Clock,
    inbox: Inbox,
    questions: mpsc::Receiver<Question>,
    /// Weak: whoever drops the node ends it, and with it this.
    node: mpsc::WeakSender<Call>,
    indexing: Indexing,
    file: PathBuf,
    key: SealKey,
    index: Option<SearchIndex>,
    /// Why there is no index, once there cannot be one.
    broken: Option<Failure>,
    fresh_starts: usize,
    /// Something did not fit, or could not be read.
    is_lacking: bool,
    /// All spaces that were ever taken from the inbox.
    known: BTreeSet<SpaceId>,
    task: Option<CatchUp>,
    waiting: VecDeque<Question>,
    reading: Calm,
    saving: Calm,
    indexed: usize,
    /// The file may have words of documents that were purged.
    holds_purged: bool,
}

/// Whether there was something to do.
enum Step {
    Worked,
    UpToDate,
    /// The node is gone.
    Gone,
}

impl Worker {
    pub(super) fn new(
        config: SearchConfig,
        inbox: Inbox,
        questions: mpsc::Receiver<Question>,
        node: mpsc::WeakSender<Call>,
    ) -> Self {
        let SearchConfig { indexing, file, key, clock } = config;
        Self {
            clock,
            inbox,
            questions,
            node,
            indexing,
            file,
            key,
            index: None,
            broken: None,
            fresh_starts: 0,
            is_lacking: false,
            known: BTreeSet::new(),
            task: None,
            waiting: VecDeque::new(),
            reading: Calm::new(READ_CALM, READ_LATEST),
            saving: Calm::new(SAVE_CALM, SAVE_LATEST),
            indexed: 0,
            holds_purged: false,
        }
    }

    /// Runs until it is told to stop, or nobody holds the node any more.
    pub(super) async fn run(mut self) {
        if self.indexing == Indexing::AsItGoes {
            self.open();
        }
        loop {
            while self.waiting.len() < QUESTIONS_MAX
                && let Ok(question) = self.questions.try_recv()
            {
                self.waiting.push_back(question);
            }
            if !self.waiting.is_empty() && self.index.is_none() && self.broken.is_none() {
                self.open();
            }
            self.holds_purged |= self.inbox.take_purged();
            if self.inbox.is_stopping() {
                return self.finish().await;
            }
            match self.step().await {
                Step::Worked => self.answer(false),
                Step::UpToDate => {
                    self.answer(true);
                    if self.holds_purged {
                        self.let_go_of_purged();
                    }
                    if !self.wait().await {
                        return;
                    }
                }
                // Only a node that is told to stop is also told to save.
                Step::Gone if self.inbox.is_stopping() => return self.finish().await,
                Step::Gone => return,
            }
            let now = self.clock.now().monotonic;
            if self.saving.due().is_some_and(|due| due <= now) {
                self.save();
            }
        }
    }

    /// Waits for whatever comes next; `false` when nobody can ask any more.
    async fn wait(&mut self) -> bool {
        let due = [self.saving.due(), self.reading.due()].into_iter().flatten().min();
        let due = due.map(|due| self.clock.instant(due));
        let is_due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            question = self.questions.recv() => match question {
                Some(question) => {
                    self.waiting.push_back(question);
                    true
                }
                None => false,
            },
            () = self.inbox.woken() => {
                self.reading.changed(self.clock.now().monotonic);
                true
            }
            () = is_due => true,
        }
    }

    fn open(&mut self) {
        let opened = SearchIndex::open(Some(&self.file), &self.key);
        let spaces = opened.and_then(|(index, opened)| {
            match opened {
                Opened::Loaded => tracing::debug!("search index loaded"),
                Opened::Fresh(because) => {
                    tracing::info!(?because, "all documents are indexed for search");
                }
            }
            let spaces = index.spaces()?;
            self.index = Some(index);
            Ok(spaces)
        });
        match spaces {
            // Some of them may be unknown to the node by now.
            Ok(spaces) => spaces.into_iter().for_each(|space| self.inbox.note(space)),
            Err(error) => self.give_up(&error),
        }
    }

    fn give_up(&mut self, error: &SearchError) {
        tracing::error!(%error, "search does not work until the next start");
        self.index = None;
        self.broken = Some(failure(error));
    }

    /// Indexes some documents.
    async fn step(&mut self) -> Step {
        let Some(index) = &mut self.index else {
            // What was noted waits for the first question.
            self.reading.done();
            return Step::UpToDate;
        };
        let Some(task) = &mut self.task else {
            let now = self.clock.now().monotonic;
            let is_urgent = !self.waiting.is_empty() || self.holds_purged;
            let is_due = is_urgent || self.reading.due().is_some_and(|due| due <= now);
            let noted = if is_due { self.inbox.take() } else { None };
            let Some(space) = noted else {
                if is_due {
                    self.reading.done();
                }
                return Step::UpToDate;
            };
            self.known.insert(space);
            return match CatchUp::begin(&self.node, index, space).await {
                Ok(task) => {
                    self.task = task;
                    Step::Worked
                }
                Err(trouble) => self.mind(trouble),
            };
        };
        match task.batch(&self.node, index).await {
            Ok((batch, count)) => {
                self.indexed += count;
                self.saving.changed(self.clock.now().monotonic);
                if batch == Batch::Done {
                    let space = task.space();
                    tracing::debug!(%space, indexed = self.indexed, "search index is up to date");
                    self.task = None;
                }
                Step::Worked
            }
            Err(trouble) => {
                self.task = None;
                self.mind(trouble)
            }
        }
    }

    fn mind(&mut self, trouble: Trouble) -> Step {
        match trouble {
            Trouble::Node(failure) if failure.kind == FailureKind::Unreachable => {
                return Step::Gone;
            }
            Trouble::Node(failure) => {
                self.is_lacking |= failure.kind == FailureKind::Storage;
                tracing::warn!(%failure, "a space could not be indexed for search");
            }
            Trouble::Index(SearchError::Full) => {
                if !self.is_lacking {
                    tracing::warn!(error = %SearchError::Full, "search goes on with what it has");
                }
                self.is_lacking = true;
            }
            Trouble::Index(error) if self.fresh_starts < FRESH_STARTS_MAX => {
                self.fresh_starts += 1;
                tracing::warn!(%error, "the search index is made anew");
                self.start_afresh();
            }
            Trouble::Index(error) => self.give_up(&error),
        }
        Step::Worked
    }

    /// Once all is indexed: without an index to save the next one begins anew.
    fn let_go_of_purged(&mut self) {
        if self.index.is_none() || !self.save() {
            self.remove_file();
        }
        self.holds_purged = false;
    }

    /// What was purged with the node's last breath is noted then, too.
    async fn finish(&mut self) {
        while !self.inbox.has_ended() {
            self.inbox.woken().await;
        }
        if self.holds_purged | self.inbox.take_purged() {
            self.remove_file();
        } else {
            self.save();
        }
    }

    fn remove_file(&self) {
        if let Err(error) = std::fs::remove_file(&self.file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the old search index stays on the disk");
        }
    }

    fn start_afresh(&mut self) {
        self.index = None;
        self.remove_file();
        self.known.iter().for_each(|space| self.inbox.note(*space));
        self.open();
    }

    /// Answers those who waited long enough; all of them when all is indexed.
    fn answer(&mut self, is_up_to_date: bool) {
        let now = self.clock.now().monotonic;
        for question in std::mem::take(&mut self.waiting) {
            if is_up_to_date || now >= question.asked_at + CATCH_UP_MAX {
                self.reply(question, is_up_to_date);
            } else {
                self.waiting.push_back(question);
            }
        }
    }

    fn reply(&self, question: Question, is_up_to_date: bool) {
        let Question { text, spaces, limit, asked_at, answer } = question;
        let found = match (&self.index, &self.broken) {
            (Some(index), _) => {
                let query = Query { text: &text, spaces: &spaces, limit };
                let until = asked_at + ANSWER_MAX;
                let mut deadline = || self.clock.now().monotonic >= until || answer.is_closed();
                index.search(&query, &mut deadline).map_err(|error| failure(&error))
            }
            (None, Some(failure)) => Err(failure.clone()),
            (None, None) => Err(crate::handle::stopping()),
        };
        let found = found.map(|found| Answer {
            hits: found.hits,
            is_complete: is_up_to_date && !found.is_partial && !self.is_lacking,
        });
        // Whoever asked may have gone.
        let _ = answer.send(found);
    }

    /// Says whether the file has all that the index has.
    fn save(&mut self) -> bool {
        self.saving.done();
        let saved = self.index.as_mut().map_or(Ok(()), SearchIndex::save);
        if let Err(error) = &saved {
            tracing::warn!(%error, "what is missing is made anew");
        }
        saved.is_ok()
    }
}
