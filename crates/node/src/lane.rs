//! Two lanes for turns: short ones run on the node's own threads, long ones move aside.
//!
//! A guest that loops must not slow the others. When a turn has been interrupted several times, its whole task moves
//! to threads of low priority, where the kernel gives it what the others leave.
//!
//! A caller that waits for a turn's outcome works on the turn itself: a turn that is done at once then costs neither a
//! task of its own nor the waking of two threads.

use futures_util::FutureExt as _;
use plexspaces_runtime::pace;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::runtime::{Builder, Handle, Runtime};

/// How much nicer the slow lane's threads are (POSIX: 0 to 19).
const NICENESS: i32 = 10;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where turns run.
pub(crate) struct Lanes {
    fast: Handle,
    slow: Option<Runtime>,
}

impl Lanes {
    /// The fast lane is the runtime that this is called on.
    pub(crate) fn new(threads: usize) -> std::io::Result<Self> {
        let slow = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("slow-lane")
            .on_thread_start(|| {
                // Without the right to be nicer (never refused on Linux) the lane is only a second pool.
                let _ = rustix::process::setpriority_process(None, NICENESS);
            })
            .enable_all()
            .build()?;
        Ok(Lanes {
            fast: Handle::current(),
            slow: Some(slow),
        })
    }

    /// A task that whoever holds it works on by polling it. The fast lane goes on with what is dropped unfinished.
    pub(crate) fn begin(&self, task: impl Future<Output = ()> + Send + 'static) -> Begun {
        let slow = self
            .slow
            .as_ref()
            .expect("lives as long as the lanes")
            .handle()
            .clone();
        // A panic is a fault of the node's own, and must not take along whoever happens to poll.
        let task = AssertUnwindSafe(task).catch_unwind().map(drop);
        Begun {
            task: Some(Quick {
                task: Some(Box::pin(task)),
                slow,
            }),
            fast: self.fast.clone(),
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        if let Some(slow) = self.slow.take() {
            // Dropping a runtime inside another one is not allowed to block.
            slow.shutdown_background();
        }
    }
}

/// A task on its way, see [`Lanes::begin`].
#[must_use = "dropping it gives the task to the fast lane"]
pub(crate) struct Begun {
    task: Option<Quick>,
    fast: Handle,
}

impl Future for Begun {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(task) = &mut self.task {
            ready!(Pin::new(task).poll(context));
            self.task = None;
        }
        Poll::Ready(())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.fast.spawn(task);
        }
    }
}

/// A task in the fast lane; it changes to the slow one when it has run long.
struct Quick {
    task: Option<Task>,
    slow: Handle,
}

impl Future for Quick {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(task) = self.task.as_mut() else {
            return Poll::Ready(());
        };
        let polled = task.as_mut().poll(context);
        let ran_long = pace::take_ran_long();
        if polled.is_pending() && ran_long {
            if let Some(task) = self.task.take() {
                self.slow.spawn(task);
            }
            return Poll::Ready(());
        }
        polled
    }
}
