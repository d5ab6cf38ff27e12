//! `locks.*`: a lease is its token, with `_lease` both its fields.

use std::time::Duration;

use crate::{Arguments, unknown};
use plexspaces_sdk::prelude::*;
use serde_json::{Value as Json, json};

pub fn call(function: &str, a: &Arguments<'_>) -> Result<Json, Error> {
    Ok(match function {
        // id, timeout, duration
        "acquire" => json!(locks::acquire(a.text(0)?, a.milliseconds(1)?, optional(a, 2))?.map(|lease| lease.token)),
        // id, duration
        "try_acquire" => json!(locks::try_acquire(a.text(0)?, optional(a, 1))?.map(|lease| lease.token)),
        // id, token
        "release" => json!(locks::release(a.text(0)?, a.get(1).as_u64())?),
        // id, duration, token
        "renew" => json!(locks::renew(a.text(0)?, a.milliseconds(1)?, a.get(2).as_u64())?.token),
        "get_lock" => match locks::get_lock(a.text(0)?)? {
            None => Json::Null,
            Some(held) => json!([held.holder, held.lease.token]),
        },
        // How long the lease lasts from now on.
        "lease_left" => match locks::get_lock(a.text(0)?)? {
            None => Json::Null,
            Some(held) => json!(held.lease.until_ms.saturating_sub(system::now()?.as_millis() as u64)),
        },
        // id, reason
        "stop_holder" => json!(messaging::stop(a.text(0)?, a.text(1)?)?),
        // Another tenant's.
        "try_acquire_of" => {
            let locks = locks::Locks::of(Context::of_tenant(a.text(0)?, a.text(1)?));
            json!(locks.try_acquire(a.text(2)?, None)?.map(|lease| lease.token))
        }
        _ => return Err(unknown(function)),
    })
}

fn optional(a: &Arguments<'_>, n: usize) -> Option<Duration> {
    a.get(n).as_u64().map(Duration::from_millis)
}
