//! Lines in the node's log, with the actor's id. Dropped while a turn is replayed.
//!
//! Logging never fails a turn: a line that the node refuses is lost.

use crate::bindings::plexspaces::actor::logging;

pub use crate::bindings::plexspaces::actor::logging::Level;

/// Logs `message` with fields (name, value).
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<_> = fields
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    let _ = logging::log(level, message, &fields);
}

/// Logs at level trace, with the arguments of `format!`.
#[macro_export]
macro_rules! trace { ($($arg:tt)+) => { $crate::log::log($crate::log::Level::Trace, &::std::format!($($arg)+), &[]) }; }

/// Logs at level debug, with the arguments of `format!`.
#[macro_export]
macro_rules! debug { ($($arg:tt)+) => { $crate::log::log($crate::log::Level::Debug, &::std::format!($($arg)+), &[]) }; }

/// Logs at level info, with the arguments of `format!`.
#[macro_export]
macro_rules! info { ($($arg:tt)+) => { $crate::log::log($crate::log::Level::Info, &::std::format!($($arg)+), &[]) }; }

/// Logs at level warn, with the arguments of `format!`.
#[macro_export]
macro_rules! warn { ($($arg:tt)+) => { $crate::log::log($crate::log::Level::Warn, &::std::format!($($arg)+), &[]) }; }

/// Logs at level error, with the arguments of `format!`.
#[macro_export]
macro_rules! error { ($($arg:tt)+) => { $crate::log::log($crate::log::Level::Error, &::std::format!($($arg)+), &[]) }; }
