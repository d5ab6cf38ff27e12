//! The bounds of one actor's turns. Every queue and every resource that a guest can grow has one.

use serde::{Deserialize, Serialize};

/// The limits of one actor, fixed at deployment. The defaults are those of the profile `balanced`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Linear memory of an instance, in bytes (64 KiB to 4 GiB). 64 MiB holds CPython (about 23 MiB) and its data.
    pub memory_bytes: u64,
    /// Wall time of a turn's segment, in milliseconds (1 to 3,600,000). Waits do not count.
    pub turn_ms: u64,
    /// Payload of a message or a reply, in bytes (1 to 64 MiB).
    pub message_bytes: u64,
    /// Effects of a turn's segment: writes, takes, sends (1 to 100,000).
    pub effects: u64,
    /// Keys and values of a turn's segment, in bytes (1 to 256 MiB).
    pub batch_bytes: u64,
    /// Messages that may wait for the actor (1 to 1,000,000).
    pub mailbox_messages: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_bytes: 64 << 20,
            turn_ms: 5_000,
            message_bytes: 4 << 20,
            effects: 10_000,
            batch_bytes: 16 << 20,
            mailbox_messages: 10_000,
        }
    }
}

impl Limits {
    /// Checks each value against its range; the error names the field, the value and the range.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn check(&self) -> Result<(), String> {
        for (name, value, min, max) in [
            ("memory_bytes", self.memory_bytes, 64 << 10, 4 << 30),
            ("turn_ms", self.turn_ms, 1, 3_600_000),
            ("message_bytes", self.message_bytes, 1, 64 << 20),
            ("effects", self.effects, 1, 100_000),
            ("batch_bytes", self.batch_bytes, 1, 256 << 20),
            ("mailbox_messages", self.mailbox_messages, 1, 1_000_000),
        ] {
            if value < min || value > max {
                return Err(format!(
                    "{name} is {value}; it must be between {min} and {max}"
                ));
            }
        }
        Ok(())
    }
}
