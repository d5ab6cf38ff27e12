//! Failures as values: what a host call gives back, and what a handler gives to its caller.

use std::fmt::Display;

pub use crate::bindings::plexspaces::actor::types::{Error, ErrorCode};

impl Error {
    /// An error with a code, a message for people and no details.
    pub fn new(code: ErrorCode, message: impl Display) -> Self {
        Error {
            code,
            message: message.to_string(),
            details: Vec::new(),
        }
    }

    /// The same error with one more detail for programs.
    pub fn with(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.details.push((name.into(), value.to_string()));
        self
    }

    /// The caller gave something that can never work.
    pub fn invalid_argument(message: impl Display) -> Self {
        Self::new(ErrorCode::InvalidArgument, message)
    }

    /// What was named is not there.
    pub fn not_found(message: impl Display) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    /// What was to be made is there already.
    pub fn already_exists(message: impl Display) -> Self {
        Self::new(ErrorCode::AlreadyExists, message)
    }

    /// The caller may not do that.
    pub fn permission_denied(message: impl Display) -> Self {
        Self::new(ErrorCode::PermissionDenied, message)
    }

    /// The actor is not in the state for that.
    pub fn failed_precondition(message: impl Display) -> Self {
        Self::new(ErrorCode::FailedPrecondition, message)
    }

    /// Not now; trying again may help.
    pub fn unavailable(message: impl Display) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    /// Anything else, such as a bug. Made for `map_err(Error::internal)`.
    pub fn internal(message: impl Display) -> Self {
        Self::new(ErrorCode::Internal, message)
    }
}

impl ErrorCode {
    /// Every code, in the order of the contract.
    pub const ALL: [ErrorCode; 10] = [
        ErrorCode::InvalidArgument,
        ErrorCode::NotFound,
        ErrorCode::AlreadyExists,
        ErrorCode::PermissionDenied,
        ErrorCode::Timeout,
        ErrorCode::Conflict,
        ErrorCode::ResourceExhausted,
        ErrorCode::Unavailable,
        ErrorCode::FailedPrecondition,
        ErrorCode::Internal,
    ];

    /// The code as the contract spells it, `not-found` for instance.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidArgument => "invalid-argument",
            ErrorCode::NotFound => "not-found",
            ErrorCode::AlreadyExists => "already-exists",
            ErrorCode::PermissionDenied => "permission-denied",
            ErrorCode::Timeout => "timeout",
            ErrorCode::Conflict => "conflict",
            ErrorCode::ResourceExhausted => "resource-exhausted",
            ErrorCode::Unavailable => "unavailable",
            ErrorCode::FailedPrecondition => "failed-precondition",
            ErrorCode::Internal => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_keep_their_order() {
        let error = Error::not_found("no such account")
            .with("account", "a")
            .with("tries", 3);
        assert_eq!(error.code.as_str(), "not-found");
        assert_eq!(
            error.details,
            [("account".into(), "a".into()), ("tries".into(), "3".into())]
        );
    }
}
