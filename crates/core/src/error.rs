//! An error that a user can see: a stable code, a kind that programs branch on, and a sentence for people.

use crate::Code;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What went wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The stable code; `plexspaces explain CODE` tells more.
    pub code: Code,
    /// What a guest sees of it. A guest's own error keeps the kind that the guest chose.
    pub kind: ErrorKind,
    /// What happened, for people.
    pub message: String,
    /// Names and values, for programs.
    pub details: Vec<(String, String)>,
}

/// The result of what can fail with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the code's own kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error {
            code,
            kind: code.kind(),
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.details.push((name.to_owned(), value.to_string()));
        self
    }
}

/// The closed set of failures that a guest can see; `error-code` in the WIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum ErrorKind {
    /// The caller gave something malformed.
    InvalidArgument = 1,
    /// What was named is not there.
    NotFound = 2,
    /// What was to be made is there.
    AlreadyExists = 3,
    /// The capability is missing.
    PermissionDenied = 4,
    /// It took too long.
    Timeout = 5,
    /// Somebody else was first.
    Conflict = 6,
    /// A bound is reached.
    ResourceExhausted = 7,
    /// Not now; try again.
    Unavailable = 8,
    /// The state does not allow it.
    FailedPrecondition = 9,
    /// A failure inside the guest or the node.
    Internal = 10,
}

impl ErrorKind {
    /// All of them, in the WIT's order.
    pub const ALL: [ErrorKind; 10] = [
        ErrorKind::InvalidArgument,
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::PermissionDenied,
        ErrorKind::Timeout,
        ErrorKind::Conflict,
        ErrorKind::ResourceExhausted,
        ErrorKind::Unavailable,
        ErrorKind::FailedPrecondition,
        ErrorKind::Internal,
    ];

    /// The name in WIT and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::InvalidArgument => "invalid-argument",
            ErrorKind::NotFound => "not-found",
            ErrorKind::AlreadyExists => "already-exists",
            ErrorKind::PermissionDenied => "permission-denied",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Conflict => "conflict",
            ErrorKind::ResourceExhausted => "resource-exhausted",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::FailedPrecondition => "failed-precondition",
            ErrorKind::Internal => "internal",
        }
    }

    /// The kind with this number in the store; unknown numbers, from a newer version, are `Internal`.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        Self::ALL
            .into_iter()
            .find(|kind| *kind as u32 == number)
            .unwrap_or(ErrorKind::Internal)
    }
}
