//! Messages by name instead of by actor: queues, where each goes to one receiver, and topics, where each goes to whoever
//! subscribes.

mod queues;
mod topics;

pub use queues::*;
pub use topics::*;
