//! The query of a URI: `name=value` joined by `&`, percent-encoded, `+` for a space.

use percent_encoding::percent_decode_str;
use plexspaces_core::{Code, Error, Result};
use std::borrow::Cow;

/// The pairs, decoded, in order. A name without `=` has the value "".
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>)>> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
}

fn decode(raw: &str) -> Result<Cow<'_, str>> {
    let bad = |_| {
        Error::new(
            Code::MalformedRequest,
            format!("{raw:?} in the query is not UTF-8 once decoded"),
        )
    };
    if raw.contains('+') {
        let spaced = raw.replace('+', " ");
        let text = percent_decode_str(&spaced).decode_utf8().map_err(bad)?;
        return Ok(Cow::Owned(text.into_owned()));
    }
    percent_decode_str(raw).decode_utf8().map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let got: Vec<_> = pairs("a=1&b=x+y%2Bz&&c&d=e=f")
            .map(|pair| pair.unwrap())
            .collect();
        let want = [("a", "1"), ("b", "x y+z"), ("c", ""), ("d", "e=f")];
        assert_eq!(got, want.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(pairs("").count(), 0);
    }

    #[test]
    fn invalid_utf8_is_refused() {
        let error = pairs("a=%ff").next().unwrap().unwrap_err();
        assert_eq!(error.code, Code::MalformedRequest);
    }
}
