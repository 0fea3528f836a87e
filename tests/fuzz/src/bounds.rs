//! How many inputs a target gets in every commit, and how far the heap may grow for one.

use crate::mutate::INPUT_BYTES_MAX;

/// A decoder alone: some ten microseconds each.
pub(crate) const DECODER: usize = 20_000;

/// With a signature to make and to check, or a seal.
pub(crate) const SIGNED: usize = 5_000;

/// With a document to load and to change.
pub(crate) const DOCUMENT_INPUTS: usize = 2_000;

/// Decoded values are some times as large as their bytes: an empty string of one byte takes 24,
/// and a list that grows is there twice for a moment.
pub(crate) const DECODED_MAX: usize = 64 * 1024 + 72 * INPUT_BYTES_MAX;

/// Two thousand symbols of our own beside those that came.
pub(crate) const SKETCHED_MAX: usize = DECODED_MAX + 512 * 1024;

/// An entry says how long it unpacks; that much may be set aside.
pub(crate) const UNPACKED_MAX: usize =
    node_model::limit::ENTRY_PLAIN_BYTES_MAX + 4 * INPUT_BYTES_MAX + 4_096;

/// A document keeps every operation, with indexes.
pub(crate) const DOCUMENT_MAX: usize = 16 * 1024 * 1024;

/// A patch may copy until it has written as many operations as a change may have: 170 MB here and
/// at whoever gets it (measured).
pub(crate) const PATCHED_MAX: usize = 224 * 1024 * 1024;

/// Automerge sets aside what a string claims to be long, up to this (its `MAX_ALLOCATION`), in
/// pages that nobody touches, and gives it back when the string turns out to be shorter.
pub(crate) const CHANGE_MAX: usize = 1_000_000_000 + DOCUMENT_MAX;
