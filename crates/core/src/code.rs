//! The stable codes `PSnnnn` of every error that a user can see.
//!
//! A number is never reused and never changes its meaning. Each has a page in `docs/errors/`, which
//! `plexspaces explain PSnnnn` prints. Thousands tell the place: 1 requests, 2 deployments, 3 guests,
//! 4 durability, 5 the node, 9 bugs.

use crate::ErrorKind;
use std::fmt;

/// Whose move it is after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The caller's fault: the same request fails again.
    Caller,
    /// Try again later, unchanged.
    TryAgain,
    /// A fault in PlexSpaces: please report it.
    Bug,
}

macro_rules! codes {
    ($($number:literal $variant:ident $class:ident $kind:ident $title:literal,)*) => {
        /// A stable error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $title] $variant = $number,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// What it means, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)* }
            }

            /// Whose move it is.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $(Code::$variant => Class::$class,)* }
            }

            /// What a guest sees.
            #[must_use]
            pub fn kind(self) -> ErrorKind {
                match self { $(Code::$variant => ErrorKind::$kind,)* }
            }

            /// The page from `docs/errors/`: what happened, why, how to mend it.
            #[must_use]
            pub fn page(self) -> &'static str {
                match self {
                    $(Code::$variant => include_str!(concat!("../../../docs/errors/PS", $number, ".md")),)*
                }
            }
        }
    };
}

codes! {
    1001 InvalidId Caller InvalidArgument "an id or name is malformed",
    1002 UnknownActorType Caller NotFound "no deployed application has this actor type",
    1003 UnknownApplication Caller NotFound "no such application",
    1004 MessageTooLarge Caller ResourceExhausted "a message is over the limit",
    1005 MalformedRequest Caller InvalidArgument "the request is malformed",
    1006 IdempotencyMismatch Caller Conflict "the idempotency key was used for another request",
    1007 MailboxFull TryAgain ResourceExhausted "the actor's mailbox is full",
    1008 TooManyKeys TryAgain ResourceExhausted "the actor remembers as many idempotency keys as it may",
    1009 AskTimeout TryAgain Timeout "no reply in time",
    1010 NoHandler Caller FailedPrecondition "the actor has no handler for this kind of message",
    1011 AskSelf Caller FailedPrecondition "an actor asked itself",
    1012 NotGranted Caller PermissionDenied "the capability is not granted",
    1013 InvalidArgument Caller InvalidArgument "an argument of a host call is invalid",
    1014 ActorExists Caller AlreadyExists "the actor exists",
    1015 UnknownRoute Caller NotFound "no such route",
    1016 TooManyResults Caller ResourceExhausted "more results than one call may return",
    1017 NotThere Caller NotFound "there is no such entry",
    1018 Contended TryAgain Conflict "another turn holds what this one needs",
    1019 QueueFull TryAgain ResourceExhausted "the queue is full",
    1020 LeaseLost Caller FailedPrecondition "the lease is not held any more",
    1021 EntryExists Caller AlreadyExists "there is such an entry already",
    1024 TooManyTimers TryAgain ResourceExhausted "the actor has as many timers as it may",
    1030 BlobLimit Caller ResourceExhausted "a blob is over one of its limits",
    1031 BlobWhileReserving Caller FailedPrecondition "blob content cannot move while the turn holds reservations",
    1032 RangeUnsatisfiable Caller InvalidArgument "the range is not in the blob",
    2001 NotWebAssembly Caller InvalidArgument "the upload is not WebAssembly",
    2002 CoreModule Caller InvalidArgument "the upload is a core module, not a component",
    2003 WrongWorld Caller InvalidArgument "the component does not fit the plexspaces:actor contract",
    2004 InvalidComponent Caller InvalidArgument "the component is truncated or invalid",
    2005 UploadTooLarge Caller ResourceExhausted "the upload is over the limit",
    2006 InvalidConfig Caller InvalidArgument "the application's config is invalid",
    2007 ActorTypeTaken Caller AlreadyExists "another application has this actor type",
    3001 GuestError Caller Internal "the actor returned an error",
    3002 Trap Caller Internal "the actor trapped",
    3003 MemoryLimit Caller ResourceExhausted "the actor reached its memory limit",
    3004 TimeLimit Caller Timeout "the actor's turn took too long",
    3005 StackLimit Caller ResourceExhausted "the actor's stack is exhausted",
    3006 ReplyTooLarge Caller ResourceExhausted "the actor's reply is over the message limit",
    3007 ActivationFailed Caller FailedPrecondition "the actor's init failed",
    3008 EffectLimit Caller ResourceExhausted "the turn has more effects than it may",
    4001 ReplayMismatch Caller FailedPrecondition "the replay differs from the first run",
    4002 HistoryFull Caller ResourceExhausted "the actor's journal is full and cannot be trimmed",
    4003 TurnConflict TryAgain Conflict "the turn lost against other turns too often",
    5001 StoreStopped TryAgain Unavailable "the store has failed and the node stops",
    5002 DataFolderInUse Caller Unavailable "another process uses the data folder",
    5003 AddressInUse Caller Unavailable "the address cannot be bound",
    5004 Corrupt Bug Internal "what is stored cannot be read",
    5005 ShuttingDown TryAgain Unavailable "the node is shutting down",
    5006 DataFolderUnusable Caller Unavailable "the data folder cannot be used",
    5007 NoRoom TryAgain ResourceExhausted "the node has as many live actors as it may",
    5008 OtherStore Caller FailedPrecondition "the data folder holds another store than asked for",
    5010 BlobsUnavailable TryAgain Unavailable "the place of the blobs' content cannot be used",
    9001 Internal Bug Internal "a fault in PlexSpaces",
}

impl Code {
    /// The code with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Code> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| *code as u32 == number)
    }

    /// Reads `PS1001`, `ps1001` or `1001`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Code> {
        let digits = text
            .trim_start_matches(['P', 'p'])
            .trim_start_matches(['S', 's']);
        Self::from_number(digits.parse().ok()?)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PS{}", *self as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_has_a_page_that_names_it() {
        for &code in Code::ALL {
            let text = code.to_string();
            assert_eq!(Code::parse(&text), Some(code));
            let heading = format!("# {text}: {}", code.title());
            assert_eq!(code.page().lines().next(), Some(heading.as_str()));
            for part in ["## What happened", "## How to mend it"] {
                assert!(code.page().contains(part), "{text} lacks {part:?}");
            }
        }
    }
}
