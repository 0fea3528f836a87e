//! Where attestations and small local records are kept.
//!
//! A ledger moves bytes only (decision 10): what it holds carries its own proof
//! and is sealed to this device by [`Trust`](crate::Trust) before it arrives here.

/// Why a ledger could not do it. What was asked for did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// No room; nothing of the batch was kept.
    #[error("the disk is full; free some space and try again")]
    Full,
    /// The file was made by a newer version.
    #[error("the trust database has format {found}, this version reads up to {known}; update kith")]
    Newer {
        /// Format found.
        found: u32,
        /// Newest format that we read.
        known: u32,
    },
    /// The storage refused or is damaged.
    #[error("the trust database failed: {0}")]
    Storage(String),
}

/// One record: a key and sealed bytes.
pub type Record = (Vec<u8>, Vec<u8>);

/// A store of sealed records. Two kinds of keys share it: attestations (append
/// only) and notes (replaceable, never replicated).
pub trait Ledger: Send {
    /// Keeps records; durable when it returns, all or none. A key that exists is
    /// replaced.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing was kept.
    fn put(&mut self, records: &[Record]) -> Result<(), LedgerError>;

    /// Puts records in the place of all that are here; durable when it returns, all or none.
    /// Of what was here no bytes stay.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing was replaced.
    fn replace(&mut self, records: &[Record]) -> Result<(), LedgerError>;

    /// All records, by key.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn all(&self) -> Result<Vec<Record>, LedgerError>;
}

/// A ledger that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryLedger(std::collections::BTreeMap<Vec<u8>, Vec<u8>>);

impl Ledger for MemoryLedger {
    fn put(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        self.0.extend(records.iter().cloned());
        Ok(())
    }

    fn replace(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        self.0 = records.iter().cloned().collect();
        Ok(())
    }

    fn all(&self) -> Result<Vec<Record>, LedgerError> {
        Ok(self.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// What every ledger must do; each implementation runs it in its tests.
///
/// # Errors
/// The ledger's own.
///
/// # Panics
/// When the ledger breaks the contract.
pub fn conformance(ledger: &mut dyn Ledger) -> Result<(), LedgerError> {
    assert_eq!(ledger.all()?, []);
    ledger.put(&[])?;
    ledger.put(&[(b"b".to_vec(), vec![2]), (b"a".to_vec(), vec![1])])?;
    assert_eq!(ledger.all()?, [(b"a".to_vec(), vec![1]), (b"b".to_vec(), vec![2])]);
    ledger.put(&[(b"a".to_vec(), vec![3; 100_000])])?;
    assert_eq!(ledger.all()?, [(b"a".to_vec(), vec![3; 100_000]), (b"b".to_vec(), vec![2])]);
    ledger.replace(&[(b"c".to_vec(), vec![4]), (b"a".to_vec(), vec![5])])?;
    assert_eq!(ledger.all()?, [(b"a".to_vec(), vec![5]), (b"c".to_vec(), vec![4])]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_ledger_conforms() {
        conformance(&mut MemoryLedger::default()).expect("memory does not fail");
    }
}
