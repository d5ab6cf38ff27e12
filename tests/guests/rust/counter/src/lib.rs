//! A counter, and what an actor can do to itself and to others.
//!
//! Payloads and replies are text. `init` takes the first count, "" = 0.
//!
//! | ask | payload | does | reply |
//! |---|---|---|---|
//! | `add` | number | adds | count |
//! | `get` | | | count |
//! | `fail_after_add` | number | adds, writes a tuple, then fails with `failed-precondition` | |
//! | `spawn` | key, or "" | spawns another counter that starts at this count | its id |
//! | `ask` | `target msg-type payload…` | asks it, 2 s at most | its reply |
//! | `add_ask` | `number target msg-type payload…` | adds, then as `ask` | its reply |
//! | `send` | `target msg-type payload…` | sends it | `sent` |
//! | `stop` | | stops itself | `stopping` |
//! | `self` | | | own id |
//! | `write` | text | writes the tuple ("counter", text, count) | count |
//! | `tuples` | text, or "" for all | | how many of them there are |
//! | `checkpoint` | | asks for a checkpoint | sequence |
//! | `sequence` | | | `sequence replaying` |
//!
//! A send of `add` adds too; a send of any other type fails.

use std::time::Duration;

use plexspaces_sdk::{durability, prelude::*};

#[derive(Default)]
struct Counter {
    count: i64,
}

impl Activation for Counter {
    fn create(args: &[u8]) -> Result<Self, Error> {
        let count = if args.is_empty() {
            0
        } else {
            number(text(args)?)?
        };
        Ok(Counter { count })
    }

    fn restore(state: &[u8]) -> Result<Self, Error> {
        Ok(Counter {
            count: number(text(state)?)?,
        })
    }
}

impl GenServer for Counter {
    fn handle_request(
        &mut self,
        _from: &str,
        msg_type: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let payload = text(payload)?;
        match msg_type {
            "add" => self.count += number(payload)?,
            "get" => {}
            "fail_after_add" => {
                self.count += number(payload)?;
                tuplespace::write(tuple!["counter", "lost", self.count])?;
                return Err(Error::failed_precondition("failed after the add, as asked")
                    .with("count", self.count));
            }
            "spawn" => {
                let key = Some(payload).filter(|key| !key.is_empty());
                return Ok(
                    messaging::spawn("counter", key, self.count.to_string().as_bytes())?.into(),
                );
            }
            "ask" => return ask(payload),
            "add_ask" => {
                let (first, rest) = split(payload)?;
                self.count += number(first)?;
                return ask(rest);
            }
            "send" => {
                let (to, msg_type, payload) = message(payload)?;
                messaging::send(to, msg_type, payload.as_bytes())?;
                return Ok(b"sent".into());
            }
            "stop" => {
                messaging::stop(&messaging::self_id()?, "asked to")?;
                return Ok(b"stopping".into());
            }
            "self" => return Ok(messaging::self_id()?.into()),
            "write" => tuplespace::write(tuple!["counter", payload, self.count])?,
            "tuples" => {
                let pattern = if payload.is_empty() {
                    pattern!["counter", _, _]
                } else {
                    pattern!["counter", payload, _]
                };
                return Ok(tuplespace::count(pattern)?.to_string().into());
            }
            "checkpoint" => {
                durability::checkpoint()?;
                return Ok(durability::sequence()?.to_string().into());
            }
            "sequence" => {
                return Ok(format!(
                    "{} {}",
                    durability::sequence()?,
                    durability::is_replaying()?
                )
                .into());
            }
            other => {
                return Err(Error::invalid_argument(format!(
                    "unknown message type {other:?}"
                )));
            }
        }
        Ok(self.count.to_string().into())
    }
}

impl GenEvent for Counter {
    fn handle_event(&mut self, _from: &str, msg_type: &str, payload: &[u8]) -> Result<(), Error> {
        match msg_type {
            "add" => self.count += number(text(payload)?)?,
            other => return Err(Error::invalid_argument(format!("unknown event {other:?}"))),
        }
        Ok(())
    }
}

impl Snapshot for Counter {
    fn snapshot_state(&self) -> Result<Vec<u8>, Error> {
        Ok(self.count.to_string().into())
    }
}

impl Termination for Counter {
    fn terminate(&mut self, reason: &str) -> Result<(), Error> {
        info!("stopping at {}: {reason}", self.count);
        Ok(())
    }
}

actor!(Counter: Activation, GenServer, GenEvent, Snapshot, Termination);

fn ask(payload: &str) -> Result<Vec<u8>, Error> {
    let (to, msg_type, payload) = message(payload)?;
    messaging::ask(to, msg_type, payload.as_bytes(), Duration::from_secs(2))
}

fn message(text: &str) -> Result<(&str, &str, &str), Error> {
    let (to, rest) = split(text)?;
    let (msg_type, payload) = rest.split_once(' ').unwrap_or((rest, ""));
    Ok((to, msg_type, payload))
}

fn split(text: &str) -> Result<(&str, &str), Error> {
    text.split_once(' ')
        .ok_or_else(|| Error::invalid_argument(format!("two words expected, not {text:?}")))
}

fn number(text: &str) -> Result<i64, Error> {
    text.parse()
        .map_err(|e| Error::invalid_argument(format!("{text:?} is no number: {e}")))
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(Error::invalid_argument)
}
