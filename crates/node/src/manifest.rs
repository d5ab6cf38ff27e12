//! The application's config: TOML that comes with a deployment.
//!
//! ```toml
//! tenant = "default"          # where the actors live
//! namespace = "default"
//!
//! [actors.calculator]         # an actor type; without any, one is made that is named after the application
//! durable = true              # keep state by journal and checkpoint
//! idle_ms = 60000             # passive after this long without a message
//! checkpoint_turns = 64       # a checkpoint every so many turns
//! checkpoint_bytes = 1048576  # or after so many bytes of journal
//! history_turns = 256         # turns kept for inspection before the checkpoint
//!
//! [actors.calculator.limits]
//! memory_bytes = 67108864
//! turn_ms = 5000
//! message_bytes = 4194304
//! effects = 10000
//! batch_bytes = 16777216
//! mailbox_messages = 10000
//! ```

use plexspaces_core::limits::Limits;
use plexspaces_core::{Code, Error, Result, Scope, id};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What an application says about its actors. Unknown keys are errors.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Manifest {
    /// The tenant that the actors belong to.
    pub tenant: String,
    /// The namespace that they live in.
    pub namespace: String,
    /// The actor types, by name.
    pub actors: BTreeMap<String, ActorType>,
}

/// How the actors of one type live.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct ActorType {
    /// Whether state is kept by journal and checkpoint.
    pub durable: bool,
    /// Passive after this long without a message, in milliseconds (1 to 86,400,000).
    pub idle_ms: u64,
    /// A checkpoint every so many turns (1 to 10,000).
    pub checkpoint_turns: u64,
    /// A checkpoint after so many bytes of journal (1 KiB to 1 GiB).
    pub checkpoint_bytes: u64,
    /// Turns kept before the checkpoint (0 to 1,000,000).
    pub history_turns: u64,
    /// The bounds of a turn.
    pub limits: Limits,
}

impl Default for Manifest {
    fn default() -> Self {
        Manifest {
            tenant: "default".into(),
            namespace: "default".into(),
            actors: BTreeMap::new(),
        }
    }
}

impl Default for ActorType {
    fn default() -> Self {
        ActorType {
            durable: true,
            idle_ms: 60_000,
            checkpoint_turns: 64,
            checkpoint_bytes: 1 << 20,
            history_turns: 256,
            limits: Limits::default(),
        }
    }
}

impl Manifest {
    /// Reads and checks a config.
    ///
    /// # Errors
    /// `PS2006` with the line, the key and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        let manifest: Manifest = toml::from_str(text).map_err(|e| {
            Error::new(
                Code::InvalidConfig,
                format!("the config cannot be read: {}", e.to_string().trim()),
            )
        })?;
        manifest.scope()?;
        for (name, actor) in &manifest.actors {
            id::check_name("actor type", name)?;
            actor.check().map_err(|problem| {
                Error::new(
                    Code::InvalidConfig,
                    format!("the config's actors.{name}.{problem}"),
                )
            })?;
        }
        Ok(manifest)
    }

    /// Where the actors live.
    ///
    /// # Errors
    /// `PS1001` for a malformed name.
    pub fn scope(&self) -> Result<Scope> {
        Scope::new(&self.tenant, &self.namespace)
    }
}

impl ActorType {
    fn check(&self) -> Result<(), String> {
        for (name, value, min, max) in [
            ("idle_ms", self.idle_ms, 1, 86_400_000),
            ("checkpoint_turns", self.checkpoint_turns, 1, 10_000),
            ("checkpoint_bytes", self.checkpoint_bytes, 1 << 10, 1 << 30),
            ("history_turns", self.history_turns, 0, 1_000_000),
        ] {
            if value < min || value > max {
                return Err(format!(
                    "{name} is {value}; it must be between {min} and {max}"
                ));
            }
        }
        self.limits
            .check()
            .map_err(|problem| format!("limits.{problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_config_is_the_default() {
        assert_eq!(Manifest::parse("").expect("empty"), Manifest::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("colour = 1", "colour"),
            ("[actors.a]\ndurabel = true", "durabel"),
            ("[actors.a.limits]\nmemory = 1", "memory"),
            (
                "[actors.a.limits]\nturn_ms = 0",
                "actors.a.limits.turn_ms is 0",
            ),
            (
                "[actors.a]\ncheckpoint_turns = 0",
                "actors.a.checkpoint_turns is 0",
            ),
            ("[actors.\"a b\"]", "a b"),
            ("tenant = \"a/b\"", "a/b"),
            ("tenant = ", "line 1"),
        ] {
            let error = Manifest::parse(text).expect_err(text);
            assert!(error.message.contains(named), "{text:?}: {}", error.message);
        }
    }
}
