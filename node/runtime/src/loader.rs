//! The thread on which large documents are loaded, one after another.
//!
//! Always the same one: what a thread has given back, many allocators keep for that thread.
//! Loads on many threads would take the most that a load takes many times over
//! (`kith-bench hostile`).

use std::{
    io,
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

use node_core::Input;
use sync_engine_core::LoadOrder;
use tokio::sync::mpsc;

/// Orders that may wait: the node gives one at a time, and never waits here.
const ORDERS_MAX: usize = 16;

/// Where to send orders; when nobody can any more the thread ends.
///
/// # Errors
/// The system's: it gives no thread.
pub(crate) fn start(loaded: mpsc::Sender<Input>) -> io::Result<SyncSender<LoadOrder>> {
    let (orders, waiting) = sync_channel::<LoadOrder>(ORDERS_MAX);
    thread::Builder::new().name("kith-load".to_owned()).spawn(move || {
        for order in waiting {
            if loaded.blocking_send(Input::Loaded(Box::new(order.load()))).is_err() {
                return;
            }
        }
    })?;
    Ok(orders)
}
