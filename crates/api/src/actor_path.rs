//! The actor that a path names: `{tenant}/{namespace}/{type}` or `{tenant}/{namespace}/{type}/{key}`.
//!
//! The raw path is split first and decoded then, so that an encoded separator stays inside its part, where the check
//! of the id refuses it by name.

use percent_encoding::percent_decode_str;
use plexspaces_core::{ActorId, Code, Error, Result, Scope};
use std::borrow::Cow;

/// Reads the raw path after `/api/v1/actors/`.
///
/// # Errors
/// `PS1001`, naming the part and what is wrong with it.
pub(crate) fn parse(raw: &str) -> Result<ActorId> {
    let mut parts = raw.split('/');
    let tenant = decode("tenant", parts.next().unwrap_or_default())?;
    let namespace = decode(
        "namespace",
        parts.next().ok_or_else(|| missing("namespace"))?,
    )?;
    let kind = decode(
        "actor type",
        parts.next().ok_or_else(|| missing("actor type"))?,
    )?;
    let key = match parts.next() {
        Some(raw) => decode("actor key", raw)?,
        None => Cow::Borrowed(""),
    };
    let more = parts.count();
    if more > 0 {
        return Err(Error::new(
            Code::InvalidId,
            format!(
                "the path has {} parts after /api/v1/actors/; it is {{tenant}}/{{namespace}}/{{type}} or \
                 {{tenant}}/{{namespace}}/{{type}}/{{key}}, and a key has no '/'",
                4 + more
            ),
        ));
    }
    ActorId::new(&Scope::new(&tenant, &namespace)?, &kind, &key)
}

fn decode<'a>(what: &str, raw: &'a str) -> Result<Cow<'a, str>> {
    percent_decode_str(raw).decode_utf8().map_err(|_| {
        Error::new(
            Code::InvalidId,
            format!("the {what} {raw:?} is not UTF-8 once decoded"),
        )
    })
}

fn missing(what: &str) -> Error {
    Error::new(
        Code::InvalidId,
        format!(
            "the path lacks the {what}; it is /api/v1/actors/{{tenant}}/{{namespace}}/{{type}}[/{{key}}]"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_decoded() {
        for (raw, id) in [
            ("acme/shop/account", "acme/shop/account"),
            ("acme/shop/account/", "acme/shop/account"),
            ("acme/shop/account/alice", "acme/shop/account/alice"),
            ("acme/shop/account/a%20b+c", "acme/shop/account/a b+c"),
            ("acme/shop/account/%C3%A9", "acme/shop/account/é"),
        ] {
            assert_eq!(parse(raw).unwrap().to_string(), id, "{raw}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (raw, says) in [
            ("", "tenant"),
            ("acme", "lacks the namespace"),
            ("acme/shop", "lacks the actor type"),
            ("acme/shop/", "actor type"),
            ("acme/shop/account/a/b", "5 parts"),
            ("acme/shop/account/a%2Fb", "actor key"),
            ("acme/shop/account%2Fa", "actor type"),
            ("a%2Fb/shop/account", "tenant"),
            ("acme/shop/account/%ff", "not UTF-8"),
            ("acme/shop/account/%00", "actor key"),
        ] {
            let error = parse(raw).unwrap_err();
            assert_eq!(error.code, Code::InvalidId, "{raw}");
            assert!(error.message.contains(says), "{raw}: {}", error.message);
        }
    }
}
