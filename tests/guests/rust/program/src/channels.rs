//! `channels.*`: topics are in `topics.rs`; a handle may be the text `"#"`, which is the one of the last leased message of this actor's life.

use std::cell::RefCell;
use std::time::Duration;

use crate::{Arguments, text};
use plexspaces_sdk::channels::{QueueOptions, SendOptions};
use plexspaces_sdk::prelude::*;
use serde_json::{Value as Json, json};

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

pub fn call(function: &str, a: &Arguments<'_>) -> Result<Json, Error> {
    Ok(match function {
        "create_queue" => json!(channels::create_queue(a.text(0)?)?),
        // name, max_length, max_deliveries, dead_letter_queue, ttl, lease
        "create_queue_with" => {
            let options = QueueOptions {
                max_length: a.get(1).as_u64(),
                max_deliveries: a.get(2).as_u64().map(|n| n as u32),
                dead_letter_queue: a.optional_text(3).map(str::to_owned),
                ttl: optional(a, 4),
                lease: optional(a, 5),
            };
            json!(channels::create_queue_with(a.text(0)?, &options)?)
        }
        "delete_queue" => json!(channels::delete_queue(a.text(0)?, a.get(1) == true)?),
        "send_to_queue" => json!(channels::send_to_queue(a.text(0)?, a.text(1)?.as_bytes())?),
        // name, message, delay, ttl
        "send_to_queue_with" => {
            let options = SendOptions {
                delay: a.milliseconds(2)?,
                ttl: optional(a, 3),
            };
            json!(channels::send_to_queue_with(a.text(0)?, a.text(1)?.as_bytes(), options)?)
        }
        "receive_from_queue" => json!(channels::receive_from_queue(a.text(0)?, a.milliseconds(1)?)?.map(text)),
        // name, lease, timeout
        "receive_leased" => match channels::receive_leased(a.text(0)?, optional(a, 1), a.milliseconds(2)?)? {
            None => Json::Null,
            Some(message) => {
                LAST.set(message.handle.clone());
                json!({
                    "handle": message.handle,
                    "payload": text(message.payload),
                    "deliveries": message.deliveries,
                    "lease_ms": message.lease_until_ms.saturating_sub(message.sent_ms),
                })
            }
        },
        "ack" => json!(channels::ack(&handle(a)?)?),
        "nack" => json!(channels::nack(&handle(a)?, a.milliseconds(1)?)?),
        "extend_lease" => json!(channels::extend_lease(&handle(a)?, a.milliseconds(1)?)?),
        "queue_depth" => json!(channels::queue_depth(a.text(0)?)?),
        // Another tenant's.
        "queue_depth_of" => {
            let queues = channels::Queues::of(Context::of_tenant(a.text(0)?, a.text(1)?));
            json!(queues.queue_depth(a.text(2)?)?)
        }
        _ => return crate::topics::call(function, a),
    })
}

fn handle(a: &Arguments<'_>) -> Result<String, Error> {
    Ok(match a.text(0)? {
        "#" => LAST.with_borrow(String::clone),
        handle => handle.to_owned(),
    })
}

fn optional(a: &Arguments<'_>, n: usize) -> Option<Duration> {
    a.get(n).as_u64().map(Duration::from_millis)
}
