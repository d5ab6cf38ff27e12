//! What becomes of a message whose turn failed.
//!
//! A failed ask is answered with the error and not retried. A failed send keeps the head of the mailbox, is tried
//! again with growing pauses, and becomes a dead letter when its tries are used up (semantics 8).

use std::time::Duration;

/// How often and how fast a failed send is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Tries in all, the first included.
    pub tries: u32,
    /// The pause before the second try; it doubles from try to try.
    pub pause: Duration,
}

impl Default for Policy {
    /// Three tries within 2 s: pauses of 0.5 s and 1 s.
    fn default() -> Self {
        Policy {
            tries: 3,
            pause: Duration::from_millis(500),
        }
    }
}

/// The decision after a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again after this pause; the message keeps the head of the mailbox.
    RetryAfter(Duration),
    /// Give up: the message becomes a dead letter and the actor goes on.
    DeadLetter,
}

impl Policy {
    /// Decides after `failed` failed tries (at least one).
    #[must_use]
    pub fn after(&self, failed: u32) -> Next {
        if failed >= self.tries {
            return Next::DeadLetter;
        }
        let factor = 1u32
            .checked_shl(failed.saturating_sub(1))
            .unwrap_or(u32::MAX);
        Next::RetryAfter(self.pause.saturating_mul(factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_policy_is_three_tries_within_two_seconds() {
        let policy = Policy::default();
        let mut waited = Duration::ZERO;
        let mut failed = 1;
        while let Next::RetryAfter(pause) = policy.after(failed) {
            waited += pause;
            failed += 1;
        }
        assert_eq!(failed, 3);
        assert!(waited <= Duration::from_secs(2), "{waited:?}");
    }

    #[test]
    fn pauses_double_and_never_overflow() {
        let policy = Policy {
            tries: u32::MAX,
            pause: Duration::from_millis(1),
        };
        assert_eq!(policy.after(1), Next::RetryAfter(Duration::from_millis(1)));
        assert_eq!(policy.after(4), Next::RetryAfter(Duration::from_millis(8)));
        assert!(matches!(policy.after(200), Next::RetryAfter(_)));
    }
}
