//! What nodes log. An error although the disk is sound is a bug, or not worth an error.

use std::{cell::RefCell, fmt::Write as _};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

thread_local! {
    static ERRORS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The errors that were logged since the last call.
pub(crate) fn take_errors() -> Vec<String> {
    ERRORS.take()
}

/// Keeps errors; prints everything down to information if it is verbose.
pub(crate) struct Log {
    pub(crate) is_verbose: bool,
}

impl Log {
    fn level(&self) -> Level {
        if self.is_verbose { Level::INFO } else { Level::ERROR }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level().into())
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}:", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        if *event.metadata().level() == Level::ERROR {
            ERRORS.with_borrow_mut(|errors| errors.push(line.0.clone()));
        }
        if self.is_verbose {
            crate::trace::print(&format!("{:>14} {}", "", line.0));
        }
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string does not fail.
        let _ = write!(self.0, " {field}={value:?}");
    }
}
