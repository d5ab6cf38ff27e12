//! The traits of an actor: one per exported interface, each optional, at least one handler.
//!
//! An actor is one value. [`Activation`] makes it (or `Default` does, for an actor without that trait), the
//! runtime calls one method at a time with `&mut self`, and between calls nothing else touches it.
//!
//! An `Err` fails the turn: what the turn wrote and sent is dropped, and a durable actor's memory goes back
//! to what it was before. An "error" that is an answer ("insufficient funds", say) and that should leave the
//! turn's effects in place belongs into the reply.

use crate::Error;
pub use crate::bindings::exports::plexspaces::actor::gen_fsm::Transition;

/// Makes the actor when it becomes active.
pub trait Activation: Sized {
    /// A new actor. `args` are the creation arguments, empty when a message made it.
    fn create(args: &[u8]) -> Result<Self, Error>;

    /// An actor that lives on, from the bytes that [`Snapshot::snapshot_state`] gave. May read, must not write.
    fn restore(state: &[u8]) -> Result<Self, Error>;
}

/// Answers asks.
pub trait GenServer {
    /// Takes a request and gives its reply. `from` is the asking actor's id, or "" from outside.
    fn handle_request(
        &mut self,
        from: &str,
        msg_type: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error>;
}

/// Takes sends, and the runtime's own messages, whose types start with `$`.
pub trait GenEvent {
    /// Takes a message that has no reply.
    fn handle_event(&mut self, from: &str, msg_type: &str, payload: &[u8]) -> Result<(), Error>;
}

/// A state machine. The runtime holds the state's name, "" at first, and shows it.
pub trait GenFsm {
    /// Takes a message in `state` and says which state is next.
    fn handle_transition(
        &mut self,
        state: &str,
        from: &str,
        msg_type: &str,
        payload: &[u8],
    ) -> Result<Transition, Error>;
}

impl Transition {
    /// Goes to `next`, with an empty reply.
    pub fn to(next: impl Into<String>) -> Self {
        Transition {
            next: next.into(),
            reply: Vec::new(),
        }
    }

    /// Stays, with an empty reply.
    pub fn stay() -> Self {
        Self::to("")
    }

    /// The same with this reply, which the sender gets if it asked.
    pub fn reply(mut self, reply: impl Into<Vec<u8>>) -> Self {
        self.reply = reply.into();
        self
    }
}

/// Takes what no other handler takes.
pub trait MessageHandler {
    /// Takes a message. The reply reaches the sender if it asked and is dropped otherwise.
    fn handle_message(
        &mut self,
        from: &str,
        msg_type: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error>;
}

/// Gives the state for checkpoints.
pub trait Snapshot {
    /// The bytes from which [`Activation::restore`] makes the same actor. Must not write.
    fn snapshot_state(&self) -> Result<Vec<u8>, Error>;
}

/// Says goodbye.
pub trait Termination {
    /// Called when the actor is stopped in an orderly way.
    fn terminate(&mut self, reason: &str) -> Result<(), Error>;
}
