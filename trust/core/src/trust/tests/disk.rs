use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::ledger::{Ledger, LedgerError, Record};

/// A ledger that outlives the trust plane, to open again, copy and damage.
#[derive(Clone, Default)]
pub(crate) struct Disk(pub(super) Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl Ledger for Disk {
    fn put(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        self.0.lock().expect("no thread died").extend(records.iter().cloned());
        Ok(())
    }

    fn replace(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        *self.0.lock().expect("no thread died") = records.iter().cloned().collect();
        Ok(())
    }

    fn all(&self) -> Result<Vec<Record>, LedgerError> {
        let records = self.0.lock().expect("no thread died");
        Ok(records.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

impl Disk {
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::default();
        copy.clone().put(&self.all().expect("memory does not fail")).expect("neither");
        copy
    }

    pub(crate) fn record(&self, tag: u8) -> Record {
        let records = self.all().expect("memory does not fail");
        records.into_iter().find(|(key, _)| key[0] == tag).expect("there is one of each")
    }
}
