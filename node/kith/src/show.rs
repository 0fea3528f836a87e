//! What a person or a script sees.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// Prints to standard output. A reader that is gone (`| head`) is no error.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    if written.is_err() {
        std::process::exit(0);
    }
}

/// Prints to standard error.
pub fn note(text: &str) {
    // Nobody is left to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints the document, or what a person reads.
pub fn answer(is_json: bool, value: &Value, human: impl FnOnce() -> String) {
    if is_json {
        line(&value.to_string());
    } else {
        line(&human());
    }
}

/// Rows in aligned columns.
#[must_use]
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([header[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let row = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![row(header.to_vec())];
    lines.extend(rows.iter().map(|cells| row(cells.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// A string in an answer, or nothing.
#[must_use]
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A list in an answer, or nothing.
#[must_use]
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A number in an answer, or 0.
#[must_use]
pub fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// What others wrote must not steer the terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// Bytes for people.
#[must_use]
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// The progress of long work, on a terminal only.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar; invisible when nobody watches.
    #[must_use]
    pub fn new(what: &str, is_json: bool) -> Self {
        let is_visible = !is_json && std::io::stderr().is_terminal();
        let target =
            if is_visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style =
            ProgressStyle::with_template("{msg} [{wide_bar}] {human_pos}/{human_len} {eta}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        Self(bar)
    }

    /// Whether nobody watches.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.0.is_hidden()
    }

    /// So much is done of so much.
    pub fn at(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// How much is shown as done, and of how much.
    #[cfg(test)]
    pub(crate) fn shown(&self) -> (u64, Option<u64>) {
        (self.0.position(), self.0.length())
    }

    /// Takes a line of a streamed answer.
    pub fn update(&self, line: &Value) {
        if let Some(progress) = line.get("progress") {
            self.at(number(progress, "done"), number(progress, "total"));
        }
    }

    /// Done.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
