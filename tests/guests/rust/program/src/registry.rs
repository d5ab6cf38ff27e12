//! `registry.*`: metadata and labels are objects of texts.

use crate::{Arguments, unknown, wrong};
use plexspaces_sdk::prelude::*;
use serde_json::{Value as Json, json};

pub fn call(function: &str, a: &Arguments<'_>) -> Result<Json, Error> {
    Ok(match function {
        "register" => json!(registry::register(a.text(0)?, a.text(1)?, &pairs(a, 2)?)?),
        "register_with_ttl" => {
            let (metadata, ttl) = (pairs(a, 2)?, a.milliseconds(3)?);
            json!(registry::register_with_ttl(a.text(0)?, a.text(1)?, &metadata, ttl)?)
        }
        // Metadata of which one name is there twice.
        "register_twice_named" => json!(registry::register(a.text(0)?, "x", &[("a", "1"), ("a", "2")])?),
        "lookup" => registry::lookup(a.text(0)?)?.map_or(Json::Null, |entry| shown(&entry)),
        "unregister" => json!(registry::unregister(a.text(0)?)?),
        "discover" => {
            let limit = a.unsigned(3)?.try_into().map_err(Error::invalid_argument)?;
            let page = registry::discover(a.text(0)?, &pairs(a, 1)?, a.optional_text(2), limit)?;
            let names: Vec<&str> = page.entries.iter().map(|entry| entry.name.as_str()).collect();
            json!({ "names": names, "cursor": page.cursor })
        }
        "heartbeat" => json!(registry::heartbeat(a.text(0)?)?),
        "report_health" => {
            let health = match a.text(1)? {
                "healthy" => registry::Health::Healthy,
                "degraded" => registry::Health::Degraded,
                _ => registry::Health::Unhealthy,
            };
            json!(registry::report_health(a.text(0)?, health)?)
        }
        // Another tenant's.
        "lookup_of" => {
            let other = registry::Registry::of(Context::of_tenant(a.text(0)?, a.text(1)?));
            other.lookup(a.text(2)?)?.map_or(Json::Null, |entry| shown(&entry))
        }
        _ => return Err(unknown(function)),
    })
}

fn shown(entry: &registry::RegistryEntry) -> Json {
    let metadata: serde_json::Map<String, Json> =
        entry.metadata.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "address": entry.address, "metadata": metadata, "owner": entry.owner,
        "health": format!("{:?}", entry.health).trim_start_matches("Health::").to_lowercase(),
        "registered_ms": entry.registered_ms, "heartbeat_ms": entry.heartbeat_ms, "expires_ms": entry.expires_ms,
    })
}

fn pairs<'a>(a: &'a Arguments<'_>, n: usize) -> Result<Vec<(&'a str, &'a str)>, Error> {
    let Some(object) = a.get(n).as_object() else { return Ok(Vec::new()) };
    let pair = |(name, value): (&'a String, &'a Json)| {
        value.as_str().map(|value| (name.as_str(), value)).ok_or_else(|| wrong(n, "an object of texts"))
    };
    object.iter().map(pair).collect()
}
