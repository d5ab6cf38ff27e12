//! SQLite's errors as ours.

use crate::Error;
use rusqlite::{ErrorCode, ffi};

/// Turns SQLite's error into ours.
pub(super) fn io(operation: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| failure(operation, &error)
}

/// What SQLite could not do, and whether it is the system that refused or the bytes that are wrong.
pub(super) fn failure(operation: &'static str, error: &rusqlite::Error) -> Error {
    let damaged = match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            // It comes for a table or a column that is missing, too: our statements are right, so the file is not.
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown => true,
            _ => matches!(
                failure.extended_code,
                ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS
            ),
        },
        // A column of another type than the table has.
        _ => true,
    };
    match damaged {
        true => Error::Damaged {
            what: format!("cannot {operation}: {error}"),
        },
        false => Error::Io {
            operation,
            reason: error.to_string(),
        },
    }
}

/// Whether another connection has the database for itself.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
