//! The clock of epoch interruption: a thread that ticks only while a guest runs.
//!
//! A running guest checks the engine's epoch at loop heads and function entries. At a tick it yields to the other
//! tasks, and its turn's deadline is checked. When no guest has run for a while the thread parks: an idle node has no
//! timer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The longest that a guest runs before it lets others run.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// How many ticks without any guest until the thread parks, so that steady traffic does not pay for waking it.
const LINGER_TICKS: u64 = 50;

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    entered: AtomicU64,
    parked: AtomicBool,
    stop: AtomicBool,
}

/// The handle of the ticking thread; dropping it ends the thread, so that the engine's address space is free at once.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// While this lives, a guest runs.
pub(crate) struct Running<'a>(&'a Shared);

impl Ticker {
    pub(crate) fn start(engine: wasmtime::Engine) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread = thread::Builder::new()
            .name("epoch-ticker".into())
            .spawn(move || tick(&theirs, &engine))
            .expect("the system can start a thread");
        Ticker {
            shared,
            thread: Some(thread),
        }
    }

    /// Says that a guest starts to run.
    pub(crate) fn enter(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        self.shared.entered.fetch_add(1, Ordering::Relaxed);
        if self.shared.parked.swap(false, Ordering::SeqCst) {
            self.unpark();
        }
        Running(&self.shared)
    }

    fn unpark(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.unpark();
        if let Some(thread) = self.thread.take() {
            // It is at most one tick away from its end, and cannot panic.
            let _ = thread.join();
        }
    }
}

fn tick(shared: &Shared, engine: &wasmtime::Engine) {
    let mut idle_ticks = 0;
    let mut seen = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        let entered = shared.entered.load(Ordering::Relaxed);
        if shared.running.load(Ordering::SeqCst) > 0 || entered != seen {
            idle_ticks = 0;
            seen = entered;
        } else {
            idle_ticks += 1;
        }
        if idle_ticks > LINGER_TICKS {
            shared.parked.store(true, Ordering::SeqCst);
            // A guest that entered just before saw `parked` unset and does not wake this thread.
            if shared.running.load(Ordering::SeqCst) == 0 && !shared.stop.load(Ordering::SeqCst) {
                thread::park();
            }
            shared.parked.store(false, Ordering::SeqCst);
            idle_ticks = 0;
        }
        thread::sleep(TICK);
        engine.increment_epoch();
    }
}
