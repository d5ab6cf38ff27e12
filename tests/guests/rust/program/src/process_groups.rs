//! `process_groups.*`

use crate::{Arguments, unknown};
use plexspaces_sdk::prelude::*;
use serde_json::{Value as Json, json};

pub fn call(function: &str, a: &Arguments<'_>) -> Result<Json, Error> {
    Ok(match function {
        "create_group" => json!(process_groups::create_group(a.text(0)?)?),
        "join_group" => {
            let topics = a.get(1).as_array().map(Vec::as_slice).unwrap_or_default();
            let topics: Vec<&str> = topics.iter().filter_map(Json::as_str).collect();
            json!(process_groups::join_group(a.text(0)?, &topics)?)
        }
        "leave_group" => json!(process_groups::leave_group(a.text(0)?)?),
        "get_members" => {
            let limit = a.get(3).as_u64().unwrap_or(1_000).try_into().map_err(Error::invalid_argument)?;
            let page = process_groups::get_members(a.text(0)?, a.optional_text(1), a.optional_text(2), limit)?;
            json!({ "members": page.members, "cursor": page.cursor })
        }
        "publish_to_group" => {
            let payload = a.text(3)?.as_bytes();
            json!(process_groups::publish_to_group(a.text(0)?, a.optional_text(1), a.text(2)?, payload)?)
        }
        _ => return Err(unknown(function)),
    })
}
