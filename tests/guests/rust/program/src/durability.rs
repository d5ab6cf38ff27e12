//! `durability.*`

use crate::{Arguments, text, unknown, wrong};
use plexspaces_sdk::prelude::*;
use serde_json::{Value as Json, json};

pub fn call(function: &str, a: &Arguments<'_>) -> Result<Json, Error> {
    Ok(match function {
        "sequence" => json!(durability::sequence()?),
        "checkpoint" => json!(durability::checkpoint()?),
        "persist" => json!(durability::persist(a.text(0)?, a.text(1)?.as_bytes())?),
        // A list of pairs.
        "persist_batch" => {
            let pair = |pair: &Json| match (pair[0].as_str(), pair[1].as_str()) {
                (Some(key), Some(value)) => Ok((key.to_owned(), value.as_bytes().to_vec())),
                _ => Err(wrong(0, "a list of pairs")),
            };
            let entries = a.list(0)?.iter().map(pair).collect::<Result<Vec<_>, Error>>()?;
            json!(durability::persist_batch(&entries)?)
        }
        "read_persisted" => json!(durability::read_persisted(a.text(0)?)?.map(text)),
        "delete_persisted" => json!(durability::delete_persisted(a.text(0)?)?),
        "list_persisted" => {
            let limit = a.unsigned(2)?.try_into().map_err(Error::invalid_argument)?;
            let page = durability::list_persisted(a.text(0)?, a.optional_text(1), limit)?;
            json!({ "keys": page.keys, "cursor": page.cursor })
        }
        // Only types, sequences and how they ended; `read_journal_text` has it all.
        "read_journal" => {
            let page = journal(a)?;
            let shown = |entry: &durability::JournalEntry| {
                json!([entry.sequence, entry.msg_type, entry.outcome.is_ok()])
            };
            let entries: Vec<Json> = page.entries.iter().map(shown).collect();
            json!({ "entries": entries, "next": page.next })
        }
        "read_journal_text" => {
            let shown = |entry: durability::JournalEntry| {
                let reply = match entry.outcome {
                    Ok(reply) => text(reply),
                    Err(error) => error.message,
                };
                json!([entry.from, entry.msg_type, text(entry.payload), reply, entry.at_ms > 0])
            };
            journal(a)?.entries.into_iter().map(shown).collect()
        }
        _ => return Err(unknown(function)),
    })
}

fn journal(a: &Arguments<'_>) -> Result<durability::JournalPage, Error> {
    let limit = a.unsigned(2)?.try_into().map_err(Error::invalid_argument)?;
    durability::read_journal(a.unsigned(0)?, a.unsigned(1)?, limit)
}
