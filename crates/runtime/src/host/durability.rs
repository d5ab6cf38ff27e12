//! `durability`: what a durable actor sees and steers of its own durability.

use super::recorded::{Recorded, corrupt};
use super::{Call, HostState, journaled, to_wit};
use crate::bindings::plexspaces::actor::durability::{
    Host, JournalEntry, JournalPage, PersistedPage,
};
use crate::bindings::wit::Context;
use crate::turn::{Arguments, Rights, Turn};
use bytes::Bytes;
use plexspaces_core::{Code, Error, Result};
use plexspaces_services::{journal, persisted, records};
use prost::Message;

/// The most turns that one call reads of the journal.
const JOURNAL_MAX: u32 = 1_000;

/// The actor, if the context names where it lives.
macro_rules! own {
    ($self:ident, $context:ident) => {
        match $self.scope(&$context) {
            Ok(_) => $self.actor.clone(),
            Err(error) => return Ok(Err(to_wit(error))),
        }
    };
}

impl Host for HostState {
    fn checkpoint(&mut self, context: Context) -> Call<()> {
        if let Err(error) = self.scope(&context) {
            return Ok(Err(to_wit(error)));
        }
        let can = self.can_checkpoint;
        match self.permitted("durability.checkpoint", Rights::All) {
            Err(error) => Ok(Err(to_wit(error))),
            Ok(_) if !can => {
                let text =
                    "durability.checkpoint needs a durable actor that exports snapshot-state";
                let mut error = Error::new(Code::InvalidArgument, text);
                error.kind = plexspaces_core::ErrorKind::FailedPrecondition;
                Ok(Err(to_wit(error)))
            }
            Ok(turn) => {
                turn.checkpoint = true;
                Ok(Ok(()))
            }
        }
    }

    fn get_sequence(&mut self, context: Context) -> Call<u64> {
        if let Err(error) = self.scope(&context) {
            return Ok(Err(to_wit(error)));
        }
        match self.permitted("durability.get-sequence", Rights::Read) {
            Ok(turn) => Ok(Ok(turn.sequence)),
            Err(error) => Ok(Err(to_wit(error))),
        }
    }

    fn is_replaying(&mut self, context: Context) -> Call<bool> {
        Ok(self
            .scope(&context)
            .map(|_| self.environment.replaying())
            .map_err(to_wit))
    }

    fn persist(&mut self, context: Context, key: String, value: Vec<u8>) -> Call<()> {
        let actor = own!(self, context);
        let arguments = Arguments::new().text(&key).bytes(&value).digest();
        journaled!(self, "durability.persist", All, arguments, |turn| {
            durable(turn).and_then(|turn| {
                let entries = [(key, value.into())];
                persisted::persist(&mut turn.transaction, &actor, entries)
            })
        })
    }

    fn persist_batch(&mut self, context: Context, entries: Vec<(String, Vec<u8>)>) -> Call<()> {
        let actor = own!(self, context);
        let arguments = Arguments::new().number(entries.len() as u64);
        let arguments = entries.iter().fold(arguments, |arguments, (key, value)| {
            arguments.text(key).bytes(value)
        });
        let arguments = arguments.digest();
        journaled!(self, "durability.persist-batch", All, arguments, |turn| {
            durable(turn).and_then(|turn| {
                let entries = entries.into_iter().map(|(key, value)| (key, value.into()));
                persisted::persist(&mut turn.transaction, &actor, entries)
            })
        })
    }

    async fn read_persisted(&mut self, context: Context, key: String) -> Call<Option<Vec<u8>>> {
        let actor = own!(self, context);
        let arguments = Arguments::new().text(&key).digest();
        journaled!(self, "durability.read-persisted", Read, arguments, |turn| {
            match durable(turn) {
                Ok(turn) => persisted::read(&mut turn.transaction, &actor, &key)
                    .await
                    .map(|found| found.map(Vec::from)),
                Err(error) => Err(error),
            }
        })
    }

    fn delete_persisted(&mut self, context: Context, key: String) -> Call<()> {
        let actor = own!(self, context);
        let arguments = Arguments::new().text(&key).digest();
        journaled!(
            self,
            "durability.delete-persisted",
            All,
            arguments,
            |turn| {
                durable(turn)
                    .and_then(|turn| persisted::delete(&mut turn.transaction, &actor, &key))
            }
        )
    }

    async fn list_persisted(
        &mut self,
        context: Context,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> Call<PersistedPage> {
        let actor = own!(self, context);
        let arguments = Arguments::new()
            .text(&prefix)
            .optional(cursor.as_deref().map(str::as_bytes))
            .number(limit.into())
            .digest();
        journaled!(self, "durability.list-persisted", Read, arguments, |turn| {
            let cursor = cursor.as_deref();
            match durable(turn) {
                Ok(turn) => persisted::list(&mut turn.transaction, &actor, &prefix, cursor, limit)
                    .await
                    .map(|page| PersistedPage {
                        keys: page.keys,
                        cursor: page.cursor,
                    }),
                Err(error) => Err(error),
            }
        })
    }

    async fn read_journal(
        &mut self,
        context: Context,
        from: u64,
        to: u64,
        limit: u32,
    ) -> Call<JournalPage> {
        own!(self, context);
        let arguments = Arguments::new()
            .number(from)
            .number(to)
            .number(limit.into())
            .digest();
        journaled!(self, "durability.read-journal", All, arguments, |turn| {
            match durable(turn) {
                Ok(turn) => read_journal(turn, from, to, limit).await,
                Err(error) => Err(error),
            }
        })
    }
}

async fn read_journal(turn: &mut Turn, from: u64, to: u64, limit: u32) -> Result<JournalPage> {
    if !(1..=JOURNAL_MAX).contains(&limit) {
        let text = format!("the limit is {limit}; it must be 1 to {JOURNAL_MAX}");
        return Err(Error::new(Code::InvalidArgument, text));
    }
    if from > to {
        let text = format!("the range from {from} to {to} is reversed");
        return Err(Error::new(Code::InvalidArgument, text));
    }
    // This turn is not finished, though segments of it may be there.
    let range = from..to.saturating_add(1).min(turn.sequence);
    let (actor, limit) = (turn.actor.clone(), limit as usize);
    let transaction = &mut turn.transaction;
    let found = journal::excerpt(transaction, &actor, range, limit, turn.bytes_max).await?;
    Ok(JournalPage {
        entries: found.entries.into_iter().map(entry_to_wit).collect(),
        next: found.next,
    })
}

fn durable(turn: &mut Turn) -> Result<&mut Turn> {
    if turn.journaled() {
        return Ok(turn);
    }
    let text = format!(
        "{} is ephemeral and keeps nothing of its own; keep it with keyvalue, or deploy its type as durable",
        turn.actor.local()
    );
    let mut error = Error::new(Code::InvalidArgument, text);
    error.kind = plexspaces_core::ErrorKind::FailedPrecondition;
    Err(error)
}

fn entry_to_wit(entry: records::JournalEntry) -> JournalEntry {
    let outcome = entry.outcome.unwrap_or_default().into_result();
    JournalEntry {
        sequence: entry.sequence,
        at_ms: entry.at_ms,
        from: entry.from,
        msg_type: entry.msg_type,
        payload: entry.payload.into(),
        outcome: outcome.map(Vec::from).map_err(to_wit),
    }
}

fn to_record(entry: &JournalEntry) -> records::JournalEntry {
    let outcome = match &entry.outcome {
        Ok(reply) => Ok(Bytes::copy_from_slice(reply)),
        Err(error) => Err(super::from_wit(error.clone())),
    };
    records::JournalEntry {
        sequence: entry.sequence,
        at_ms: entry.at_ms,
        from: entry.from.clone(),
        msg_type: entry.msg_type.clone(),
        payload: Bytes::copy_from_slice(&entry.payload),
        outcome: Some((&outcome).into()),
    }
}

impl Recorded for PersistedPage {
    fn to_record(&self) -> Bytes {
        let page = records::Page {
            names: self.keys.clone(),
            cursor: self.cursor.clone(),
        };
        page.encode_to_vec().into()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let page = records::Page::decode(bytes).map_err(|_| corrupt("page of keys"))?;
        Ok(PersistedPage {
            keys: page.names,
            cursor: page.cursor,
        })
    }
}

impl Recorded for JournalPage {
    fn to_record(&self) -> Bytes {
        let page = records::JournalPage {
            entries: self.entries.iter().map(to_record).collect(),
            next: self.next,
        };
        page.encode_to_vec().into()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let page = records::JournalPage::decode(bytes);
        let page = page.map_err(|_| corrupt("page of the journal"))?;
        Ok(JournalPage {
            entries: page.entries.into_iter().map(entry_to_wit).collect(),
            next: page.next,
        })
    }
}
