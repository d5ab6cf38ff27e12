//! What actors are told.

use bytes::Bytes;

/// The sender's name of a message that came through the HTTP interface.
pub const FROM_HTTP: &str = "$http";

/// The sender's name of a reminder.
pub const FROM_TIMER: &str = "$timer";

/// How a message is delivered. Routing goes by this, never by the text of the message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Delivery {
    /// The sender waits for the reply.
    Ask = 1,
    /// The sender has gone on.
    Send = 2,
    /// The runtime tells the actor something; the message type starts with `$`.
    Info = 3,
    /// The actor is to be made, with the arguments in its record.
    Create = 4,
    /// The actor is to stop in an orderly way; the payload is the reason.
    Stop = 5,
}

impl Delivery {
    /// The delivery with this number in the store.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Delivery::Ask,
            2 => Delivery::Send,
            3 => Delivery::Info,
            4 => Delivery::Create,
            5 => Delivery::Stop,
            _ => return None,
        })
    }
}

/// One message, as the handler sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sender's id in the receiver's scope, or a name that starts with `$`.
    pub from: String,
    /// What the sender calls it.
    pub msg_type: String,
    /// What it carries.
    pub payload: Bytes,
    /// How it is delivered.
    pub delivery: Delivery,
}

/// The longest message type, in bytes.
pub const MSG_TYPE_BYTES_MAX: usize = 128;

/// Checks a message type that a caller gives.
///
/// # Errors
/// A sentence for people.
pub fn check_msg_type(text: &str) -> Result<(), String> {
    if text.len() > MSG_TYPE_BYTES_MAX {
        return Err(format!(
            "the message type has {} bytes; at most {MSG_TYPE_BYTES_MAX} are allowed",
            text.len()
        ));
    }
    if text.starts_with('$') {
        return Err(format!(
            "the message type {text:?} starts with '$', which is reserved for the runtime"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("the message type {text:?} has a control character"));
    }
    Ok(())
}
