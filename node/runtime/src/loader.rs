//! The thread on which large documents are loaded, one after another.
//!
//! Always the same one: what a thread has given back, the system's allocator keeps for that
//! thread. Loads on many threads would take the most that a load takes many times over
//! (`kith-bench hostile`).

use std::{
    sync::mpsc::{SendError, SyncSender, sync_channel},
    thread,
};

use node_core::Input;
use sync_engine_core::LoadOrder;
use tokio::sync::mpsc;

/// Orders that may wait: the node gives one at a time, and never waits here.
const ORDERS_MAX: usize = 16;

/// Loads documents until it is dropped; what is under way then goes to nobody.
pub(crate) struct Loader {
    orders: SyncSender<LoadOrder>,
    loaded: mpsc::Sender<Input>,
}

impl Loader {
    pub(crate) fn new(loaded: mpsc::Sender<Input>) -> Self {
        Self { orders: begin(loaded.clone()), loaded }
    }

    pub(crate) fn load(&mut self, order: LoadOrder) {
        // A panic was logged, and has taken the thread along.
        if let Err(SendError(order)) = self.orders.send(order) {
            self.orders = begin(self.loaded.clone());
            // Without a thread the next order tries again.
            let _ = self.orders.send(order);
        }
    }
}

fn begin(loaded: mpsc::Sender<Input>) -> SyncSender<LoadOrder> {
    let (orders, waiting) = sync_channel::<LoadOrder>(ORDERS_MAX);
    let work = move || {
        for order in waiting {
            if loaded.blocking_send(Input::Loaded(Box::new(order.load()))).is_err() {
                return;
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("kith-load".to_owned()).spawn(work) {
        tracing::error!(%error, "no thread to load documents on");
    }
    orders
}
