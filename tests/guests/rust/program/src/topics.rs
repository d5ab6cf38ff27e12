//! `channels.*` of topics: attributes are pairs; a condition is `[attribute, value]`, where `"*"` is any value and `"a*"` a prefix.

use crate::{Arguments, unknown, wrong};
use plexspaces_sdk::prelude::*;
use serde_json::{Value as Json, json};

pub fn call(function: &str, a: &Arguments<'_>) -> Result<Json, Error> {
    Ok(match function {
        "publish_to_topic" => {
            let attributes = pairs(a.get(3))?;
            let payload = a.text(2)?.as_bytes();
            json!(channels::publish_to_topic(a.text(0)?, a.text(1)?, payload, &attributes)?)
        }
        "subscribe_to_topic" => {
            let conditions = pairs(a.get(1))?.into_iter().map(|(name, value)| match value {
                "*" => channels::has(name),
                _ => match value.strip_suffix('*') {
                    Some(start) => channels::starts_with(name, start),
                    None => channels::equals(name, value),
                },
            });
            json!(channels::subscribe_to_topic(a.text(0)?, &conditions.collect::<Vec<_>>())?)
        }
        "unsubscribe_from_topic" => json!(channels::unsubscribe_from_topic(a.text(0)?)?),
        // Another tenant's.
        "publish_to_topic_of" => {
            let context = Context::of_tenant(a.text(0)?, a.text(1)?);
            json!(channels::publish_to_topic_in(&context, a.text(2)?, "", b"", &[])?)
        }
        _ => return Err(unknown(function)),
    })
}

fn pairs(list: &Json) -> Result<Vec<(&str, &str)>, Error> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(pair).collect()
}

fn pair(item: &Json) -> Result<(&str, &str), Error> {
    match item.as_array().map(Vec::as_slice) {
        Some([Json::String(name), Json::String(value)]) => Ok((name, value)),
        _ => Err(wrong(0, "a list of pairs of texts")),
    }
}
