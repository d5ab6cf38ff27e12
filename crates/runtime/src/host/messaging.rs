//! `messaging`: other actors, through the node.

use super::{Call, HostState, answered, journaled, record, record_error, to_wit};
use crate::bindings::plexspaces::actor::messaging::{Host, ReminderPage, SpawnOptions};
use crate::outside::Ask;
use crate::turn::{Arguments, Rights};
use std::time::Duration;

const ASK: &str = "messaging.ask-message";

impl Host for HostState {
    fn send_message(&mut self, to: String, msg_type: String, payload: Vec<u8>) -> Call<()> {
        let outside = self.outside.clone();
        let arguments = Arguments::new()
            .text(&to)
            .text(&msg_type)
            .bytes(&payload)
            .digest();
        journaled!(self, "messaging.send-message", All, arguments, |turn| {
            outside.send(turn, &to, &msg_type, payload.into())
        })
    }

    async fn ask_message(
        &mut self,
        to: String,
        msg_type: String,
        payload: Vec<u8>,
        timeout: u64,
    ) -> Call<Vec<u8>> {
        let (outside, environment) = (self.outside.clone(), self.environment.clone());
        let limit = self.turn_limit;
        let arguments = Arguments::new()
            .text(&to)
            .text(&msg_type)
            .bytes(&payload)
            .number(timeout)
            .digest();
        let turn = match self.permitted(ASK, Rights::All) {
            Ok(turn) => turn,
            Err(refused) => return Ok(Err(to_wit(refused))),
        };
        if let Some(answer) = answered(turn, ASK, arguments)? {
            return Ok(answer);
        }
        let ask = Ask {
            to,
            msg_type,
            payload: payload.into(),
            timeout: Duration::from_millis(timeout),
            operation: ASK,
            arguments,
        };
        // The bounds of a turn hold per segment; a wait costs the guest no time.
        environment.set_deadline(None);
        let reply = outside
            .ask(turn, ask)
            .await
            .map_err(wasmtime::Error::from)?;
        environment.set_deadline(Some(limit));
        let result = match reply {
            Ok(reply) => record(turn, ASK, arguments, Ok(Vec::from(reply))),
            Err(error) => Ok(Err(record_error(turn, ASK, arguments, error))),
        };
        self.ticks = 0;
        result
    }

    async fn spawn_actor(&mut self, behavior: String, options: SpawnOptions) -> Call<String> {
        let outside = self.outside.clone();
        let key = options.key;
        let arguments = Arguments::new()
            .text(&behavior)
            .number(key.is_some().into())
            .text(key.as_deref().unwrap_or_default())
            .bytes(&options.args)
            .digest();
        journaled!(self, "messaging.spawn-actor", All, arguments, |turn| {
            outside
                .spawn(turn, &behavior, key.as_deref(), options.args.into())
                .await
                .map(|id| id.local())
        })
    }

    fn self_id(&mut self) -> Call<String> {
        Ok(Ok(self.actor.local()))
    }

    fn stop_actor(&mut self, id: String, reason: String) -> Call<()> {
        let outside = self.outside.clone();
        let arguments = Arguments::new().text(&id).text(&reason).digest();
        journaled!(self, "messaging.stop-actor", All, arguments, |turn| outside
            .stop(turn, &id, &reason))
    }

    async fn send_after(
        &mut self,
        to: String,
        msg_type: String,
        payload: Vec<u8>,
        delay: u64,
    ) -> Call<u64> {
        self.set_timer(to, msg_type, payload, delay).await
    }

    async fn cancel_timer(&mut self, id: u64) -> Call<bool> {
        self.remove_timer(id).await
    }

    async fn set_reminder(
        &mut self,
        name: String,
        msg_type: String,
        payload: Vec<u8>,
        first: u64,
        period: u64,
    ) -> Call<()> {
        self.remind(name, msg_type, payload, first, period).await
    }

    async fn cancel_reminder(&mut self, name: String) -> Call<bool> {
        self.remove_reminder(name).await
    }

    async fn list_reminders(&mut self, cursor: Option<String>, limit: u32) -> Call<ReminderPage> {
        self.reminders(cursor, limit).await
    }
}
