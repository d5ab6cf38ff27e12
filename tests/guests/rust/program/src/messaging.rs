//! `messaging.*`

use crate::{Arguments, unknown};
use plexspaces_sdk::prelude::*;
use serde_json::{Value as Json, json};

pub fn call(function: &str, a: &Arguments<'_>) -> Result<Json, Error> {
    Ok(match function {
        "send" => json!(messaging::send(a.text(0)?, a.text(1)?, a.text(2)?.as_bytes())?),
        "ask" => {
            let reply = messaging::ask(a.text(0)?, a.text(1)?, a.text(2)?.as_bytes(), a.milliseconds(3)?)?;
            json!(crate::text(reply))
        }
        "stop" => json!(messaging::stop(a.text(0)?, a.text(1)?)?),
        "send_after" => {
            json!(messaging::send_after(a.text(0)?, a.text(1)?, a.text(2)?.as_bytes(), a.milliseconds(3)?)?)
        }
        "cancel_timer" => json!(messaging::cancel_timer(a.unsigned(0)?)?),
        // Sets one and cancels it in the same turn.
        "send_after_cancelled" => {
            let id = messaging::send_after(a.text(0)?, a.text(1)?, b"", a.milliseconds(2)?)?;
            json!([messaging::cancel_timer(id)?, messaging::cancel_timer(id)?])
        }
        "set_reminder" => {
            let (first, period) = (a.milliseconds(3)?, a.milliseconds(4)?);
            json!(messaging::set_reminder(a.text(0)?, a.text(1)?, a.text(2)?.as_bytes(), first, period)?)
        }
        "cancel_reminder" => json!(messaging::cancel_reminder(a.text(0)?)?),
        "list_reminders" => {
            let limit = a.unsigned(1)?.try_into().map_err(Error::invalid_argument)?;
            let page = messaging::list_reminders(a.optional_text(0), limit)?;
            let shown = |reminder: &messaging::Reminder| {
                json!({
                    "name": reminder.name, "msg_type": reminder.msg_type,
                    "due_ms": reminder.due_ms, "period": reminder.period,
                })
            };
            let reminders: Vec<Json> = page.reminders.iter().map(shown).collect();
            json!({ "reminders": reminders, "cursor": page.cursor })
        }
        _ => return Err(unknown(function)),
    })
}
