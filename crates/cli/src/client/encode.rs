//! A name as a part of a URL's path.

use anyhow::{Result, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What does not stand for itself in a path.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Encodes one part of a path; `what` says which in the error.
pub(crate) fn encode(what: &str, part: &str) -> Result<String> {
    if matches!(part, "." | "..") {
        bail!("the {what} {part:?} cannot be part of a URL, where it means another folder");
    }
    Ok(utf8_percent_encode(part, ENCODED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_stay_inside_the_part() {
        assert_eq!(encode("key", "a/b c?é.x").unwrap(), "a%2Fb%20c%3F%C3%A9.x");
        assert!(encode("key", "..").is_err());
    }
}
