//! How much one edit may read and write, counted before it is done.
//!
//! A change that is over a limit is refused when it is committed. By then an edit may have
//! written far more than there is memory for: each copy of a document into itself doubles
//! it.

use serde_json::Value;

use crate::document::{
    DocumentError, Measure, Refusal, TooHeavy,
    weigh::{INFLATED_BYTES_MAX, NAME_BYTES_MAX, OPERATIONS_MAX},
};

/// Values, and bytes of keys and strings, that an edit may read: four times as much as it
/// may write.
const READ_VALUES_MAX: u64 = 4 * OPERATIONS_MAX;
const READ_BYTES_MAX: u64 = 4 * INFLATED_BYTES_MAX;

/// What one edit has read and written so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    written: Size,
    read: Size,
}

impl Allowance {
    /// Counts a value that is to be written.
    pub(crate) fn write(&mut self, value: &Value) -> Result<(), DocumentError> {
        self.written.add(value);
        let Size { values, bytes, key_bytes } = self.written;
        TooHeavy::unless_within(Measure::Operations, values, OPERATIONS_MAX)
            .and_then(|()| {
                TooHeavy::unless_within(Measure::InflatedBytes, bytes, INFLATED_BYTES_MAX)
            })
            .and_then(|()| TooHeavy::unless_within(Measure::NameBytes, key_bytes, NAME_BYTES_MAX))
            .map_err(|reason| DocumentError::Refused(Refusal::TooHeavy(reason)))
    }

    /// Counts a value that was read.
    pub(crate) fn read(&mut self, value: &Value) -> Result<(), DocumentError> {
        self.read.add(value);
        let Size { values, bytes, key_bytes } = self.read;
        if values <= READ_VALUES_MAX && bytes.saturating_add(key_bytes) <= READ_BYTES_MAX {
            Ok(())
        } else {
            Err(DocumentError::ReadsTooMuch)
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Size {
    values: u64,
    /// Of strings.
    bytes: u64,
    key_bytes: u64,
}

impl Size {
    /// Adds a value with all that is in it; JSON that was read is nested a few levels only.
    fn add(&mut self, value: &Value) {
        self.values += 1;
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.bytes += text.len() as u64,
            Value::Array(list) => list.iter().for_each(|item| self.add(item)),
            Value::Object(map) => {
                for (key, item) in map {
                    self.key_bytes += key.len() as u64;
                    self.add(item);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_strings_and_keys_are_counted_with_all_that_is_in_them() {
        let mut size = Size::default();
        size.add(&json!({"ab": [1, "cde", null], "f": {"g": true}}));
        assert_eq!((size.values, size.bytes, size.key_bytes), (7, 3, 4));
    }

    #[test]
    fn what_was_counted_before_counts_too() {
        let mut allowance = Allowance::default();
        let half = Value::String("x".repeat(INFLATED_BYTES_MAX as usize / 2));
        allowance.write(&half).expect("half of it");
        allowance.write(&half).expect("all of it");
        let refused = allowance.write(&json!("x")).expect_err("more than all of it");
        assert!(matches!(refused, DocumentError::Refused(Refusal::TooHeavy(_))), "{refused}");
        for _ in 0..8 {
            allowance.read(&half).expect("four times as much");
        }
        let refused = allowance.read(&json!("x")).expect_err("more than that");
        assert!(matches!(refused, DocumentError::ReadsTooMuch), "{refused}");
    }
}
