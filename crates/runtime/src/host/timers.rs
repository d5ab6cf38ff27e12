//! The part of `messaging` that sends later: timers and reminders.

use super::recorded::{Recorded, corrupt};
use super::{Call, HostState, journaled, reserving};
use crate::bindings::plexspaces::actor::messaging::{Reminder, ReminderPage};
use crate::outside::{Timer, Which};
use crate::turn::Arguments;
use bytes::Bytes;
use plexspaces_core::Result;
use plexspaces_services::{records, timers};
use prost::Message;

impl HostState {
    pub(super) async fn set_timer(
        &mut self,
        to: String,
        msg_type: String,
        payload: Vec<u8>,
        delay_ms: u64,
    ) -> Call<u64> {
        let outside = self.outside.clone();
        let arguments = Arguments::new()
            .text(&to)
            .text(&msg_type)
            .bytes(&payload)
            .number(delay_ms)
            .digest();
        let timer = Timer {
            which: Which::To(to),
            msg_type,
            payload: payload.into(),
            delay_ms,
            period_ms: 0,
        };
        journaled!(self, "messaging.send-after", All, arguments, |turn| {
            outside.arm(turn, timer).await
        })
    }

    pub(super) async fn remove_timer(&mut self, id: u64) -> Call<bool> {
        let arguments = Arguments::new().number(id).digest();
        reserving!(self, "messaging.cancel-timer", arguments, |turn| {
            let row = timers::timer(&turn.actor, id);
            timers::cancel(&mut turn.transaction, row).await
        })
    }

    pub(super) async fn remind(
        &mut self,
        name: String,
        msg_type: String,
        payload: Vec<u8>,
        first_ms: u64,
        period_ms: u64,
    ) -> Call<()> {
        let outside = self.outside.clone();
        let arguments = Arguments::new()
            .text(&name)
            .text(&msg_type)
            .bytes(&payload)
            .number(first_ms)
            .number(period_ms)
            .digest();
        let timer = Timer {
            which: Which::Reminder(name),
            msg_type,
            payload: payload.into(),
            delay_ms: first_ms,
            period_ms,
        };
        journaled!(self, "messaging.set-reminder", All, arguments, |turn| {
            outside.arm(turn, timer).await.map(drop)
        })
    }

    pub(super) async fn remove_reminder(&mut self, name: String) -> Call<bool> {
        let arguments = Arguments::new().text(&name).digest();
        reserving!(self, "messaging.cancel-reminder", arguments, |turn| {
            match timers::reminder(&turn.actor, &name) {
                Ok(row) => timers::cancel(&mut turn.transaction, row).await,
                Err(error) => Err(error),
            }
        })
    }

    pub(super) async fn reminders(
        &mut self,
        cursor: Option<String>,
        limit: u32,
    ) -> Call<ReminderPage> {
        let arguments = Arguments::new()
            .optional(cursor.as_deref().map(str::as_bytes))
            .number(limit.into())
            .digest();
        journaled!(self, "messaging.list-reminders", Read, arguments, |turn| {
            let (owner, cursor) = (turn.actor.clone(), cursor.as_deref());
            let page = timers::list(&mut turn.transaction, &owner, cursor, limit).await;
            page.map(|page| ReminderPage {
                reminders: page.reminders.into_iter().map(to_wit).collect(),
                cursor: page.cursor,
            })
        })
    }
}

fn to_wit((name, row): (String, records::TimerRow)) -> Reminder {
    Reminder {
        name,
        msg_type: row.message.unwrap_or_default().msg_type,
        due_ms: row.at_ms,
        period: row.period_ms,
    }
}

impl Recorded for ReminderPage {
    fn to_record(&self) -> Bytes {
        let reminders = self.reminders.iter().map(|reminder| records::Reminder {
            name: reminder.name.clone(),
            msg_type: reminder.msg_type.clone(),
            at_ms: reminder.due_ms,
            period_ms: reminder.period,
        });
        let page = records::Reminders {
            reminders: reminders.collect(),
            cursor: self.cursor.clone(),
        };
        page.encode_to_vec().into()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let page = records::Reminders::decode(bytes).map_err(|_| corrupt("page of reminders"))?;
        let reminders = page.reminders.into_iter().map(|reminder| Reminder {
            name: reminder.name,
            msg_type: reminder.msg_type,
            due_ms: reminder.at_ms,
            period: reminder.period_ms,
        });
        Ok(ReminderPage {
            reminders: reminders.collect(),
            cursor: page.cursor,
        })
    }
}
