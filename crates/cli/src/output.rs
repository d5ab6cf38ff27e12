//! What goes to the terminal.

use anyhow::{Context as _, Result};
use plexspaces_core::Error;
use std::io::{ErrorKind, IsTerminal as _, Write as _};

/// Writes a line to stdout. A reader that has gone, as `head` does, is no error.
pub(crate) fn line(text: &str) -> Result<()> {
    bytes(format!("{text}\n").as_bytes())
}

/// Writes bytes to stdout as they are; at a terminal, they end with a new line.
pub(crate) fn reply(reply: &[u8]) -> Result<()> {
    bytes(reply)?;
    if std::io::stdout().is_terminal() && !reply.ends_with(b"\n") {
        bytes(b"\n")?;
    }
    Ok(())
}

fn bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}

/// Writes a line for people to stderr, where it does not mix with results.
pub(crate) fn note(text: &str) {
    // There is nobody to tell that nobody reads.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Tells why a command failed.
pub(crate) fn failure(error: &anyhow::Error) {
    note(&failure_text(error));
}

fn failure_text(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>() {
        Some(Error { code, message, .. }) => {
            format!("error {code}: {message}\nrun `plexspaces explain {code}` to learn more")
        }
        None => format!("error: {error:#}"),
    }
}

/// A size for people, and exact.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{:.1} KiB ({bytes} bytes)", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB ({bytes} bytes)", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plexspaces_core::Code;

    #[test]
    fn a_coded_error_names_its_page() {
        let error = anyhow::Error::from(Error::new(Code::AddressInUse, "taken"));
        assert_eq!(
            failure_text(&error),
            "error PS5003: taken\nrun `plexspaces explain PS5003` to learn more"
        );
        assert_eq!(
            failure_text(&anyhow::anyhow!("inner").context("outer")),
            "error: outer: inner"
        );
    }

    #[test]
    fn sizes_are_rounded_and_exact() {
        assert_eq!(size(1_023), "1023 bytes");
        assert_eq!(size(1_536), "1.5 KiB (1536 bytes)");
        assert_eq!(size(3 << 20), "3.0 MiB (3145728 bytes)");
    }
}
