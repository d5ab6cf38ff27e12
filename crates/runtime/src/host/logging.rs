//! `logging`: lines in the node's log, with the actor's id.

use super::{Call, HostState};
use crate::bindings::plexspaces::actor::logging::{Host, Level};

/// The longest line, in bytes; the rest is cut.
const LINE_BYTES_MAX: usize = 8 << 10;

impl Host for HostState {
    fn log(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> Call<()> {
        if self.environment.replaying() {
            return Ok(Ok(()));
        }
        let mut line = message;
        for (name, value) in fields {
            line.push_str(&format!(" {name}={value:?}"));
        }
        let mut end = line.len().min(LINE_BYTES_MAX);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let (line, actor) = (&line[..end], &self.actor);
        match level {
            Level::Trace => tracing::trace!(target: "guest", %actor, "{line}"),
            Level::Debug => tracing::debug!(target: "guest", %actor, "{line}"),
            Level::Info => tracing::info!(target: "guest", %actor, "{line}"),
            Level::Warn => tracing::warn!(target: "guest", %actor, "{line}"),
            Level::Error => tracing::error!(target: "guest", %actor, "{line}"),
        }
        Ok(Ok(()))
    }
}
