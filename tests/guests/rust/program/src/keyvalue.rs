//! `keyvalue.*`

use crate::{Arguments, text, unknown};
use plexspaces_sdk::prelude::*;
use serde_json::{Value as Json, json};

pub fn call(function: &str, a: &Arguments<'_>) -> Result<Json, Error> {
    Ok(match function {
        "get" => json!(keyvalue::get(a.text(0)?)?.map(text)),
        "put" => json!(keyvalue::put(a.text(0)?, a.text(1)?.as_bytes())?),
        "put_with_ttl" => json!(keyvalue::put_with_ttl(a.text(0)?, a.text(1)?.as_bytes(), a.milliseconds(2)?)?),
        "delete" => json!(keyvalue::delete(a.text(0)?)?),
        "exists" => json!(keyvalue::exists(a.text(0)?)?),
        "list_keys" => {
            let limit = a.unsigned(2)?.try_into().map_err(Error::invalid_argument)?;
            let page = keyvalue::list_keys(a.text(0)?, a.optional_text(1), limit)?;
            json!({ "keys": page.keys, "cursor": page.cursor })
        }
        "compare_and_swap" => {
            let expected = a.optional_text(1).map(str::as_bytes);
            json!(keyvalue::compare_and_swap(a.text(0)?, expected, a.text(2)?.as_bytes())?)
        }
        "increment" => json!(keyvalue::increment(a.text(0)?, a.signed(1)?)?),
        "watch" => json!(keyvalue::watch(a.text(0)?)?),
        "unwatch" => json!(keyvalue::unwatch(a.text(0)?)?),
        // Another tenant's.
        "get_of" => {
            let keys = keyvalue::Keys::of(Context::of_tenant(a.text(0)?, a.text(1)?));
            json!(keys.get(a.text(2)?)?.map(text))
        }
        _ => return Err(unknown(function)),
    })
}
