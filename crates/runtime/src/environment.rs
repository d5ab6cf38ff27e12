//! What a guest sees of time and chance, shared between its instance, WASI and the turn.
//!
//! In a durable actor both are functions of the journal: the clock gives the segment's recorded time and the random
//! stream is seeded from the actor and the turn's sequence, so a replay sees what the first run saw.

use parking_lot::Mutex;
use plexspaces_core::ActorId;
use plexspaces_core::time::Millis;
use plexspaces_services::applications::Hash;
use rand::{Rng, SeedableRng, TryRng};
use rand_chacha::ChaCha8Rng;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shared by everything that belongs to one instance.
#[derive(Debug)]
pub(crate) struct Environment {
    time_ms: AtomicU64,
    random: Mutex<Stream>,
    replaying: AtomicBool,
    /// Nanoseconds after `epoch` at which the running segment is over time; 0 = no bound.
    deadline_ns: AtomicU64,
    epoch: Instant,
}

#[derive(Debug)]
struct Stream {
    generator: ChaCha8Rng,
    drawn: u64,
}

impl Environment {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Environment {
            time_ms: AtomicU64::new(0),
            random: Mutex::new(Stream {
                generator: ChaCha8Rng::from_seed([0; 32]),
                drawn: 0,
            }),
            replaying: AtomicBool::new(false),
            deadline_ns: AtomicU64::new(0),
            epoch: Instant::now(),
        })
    }

    pub(crate) fn set_time(&self, time: Millis) {
        self.time_ms.store(time.0, Ordering::Relaxed);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.time_ms.load(Ordering::Relaxed)
    }

    /// Starts the random stream of a turn. `salt` keeps apart what has the same actor and sequence.
    pub(crate) fn seed(&self, actor: &ActorId, sequence: u64, salt: &[u8]) {
        // The derivation is part of what a replay relies on: fixed by a golden test.
        let text = format!("{actor}\0{sequence}\0");
        let seed = Hash::of(&[text.as_bytes(), salt].concat());
        *self.random.lock() = Stream {
            generator: ChaCha8Rng::from_seed(seed.0),
            drawn: 0,
        };
    }

    /// How many bytes of the turn's stream are drawn.
    pub(crate) fn drawn(&self) -> u64 {
        self.random.lock().drawn
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        let mut stream = self.random.lock();
        stream.generator.fill_bytes(bytes);
        stream.drawn += bytes.len() as u64;
    }

    pub(crate) fn set_replaying(&self, replaying: bool) {
        self.replaying.store(replaying, Ordering::Relaxed);
    }

    pub(crate) fn replaying(&self) -> bool {
        self.replaying.load(Ordering::Relaxed)
    }

    /// Bounds the running segment, or takes the bound away.
    pub(crate) fn set_deadline(&self, limit: Option<Duration>) {
        let at = limit.map_or(0, |limit| nanos(self.epoch.elapsed() + limit).max(1));
        self.deadline_ns.store(at, Ordering::Relaxed);
    }

    /// Bounds the running segment by this moment, or takes the bound away.
    pub(crate) fn set_deadline_at(&self, at: Option<Instant>) {
        let at = at.map_or(0, |at| nanos(at.duration_since(self.epoch)).max(1));
        self.deadline_ns.store(at, Ordering::Relaxed);
    }

    /// When the running segment is over time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.deadline_ns.load(Ordering::Relaxed) {
            0 => None,
            at => Some(self.epoch + Duration::from_nanos(at)),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The turn's random stream, as WASI wants it.
pub(crate) struct Randomness(pub(crate) Arc<Environment>);

impl TryRng for Randomness {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plexspaces_core::Scope;

    #[test]
    fn the_random_stream_of_a_turn_never_changes() {
        let scope = Scope::new("default", "default").expect("valid");
        let actor = ActorId::new(&scope, "counter", "a").expect("valid");
        let environment = Environment::new();
        environment.seed(&actor, 7, b"");
        let mut bytes = [0; 8];
        environment.fill(&mut bytes);
        assert_eq!(environment.drawn(), 8);
        assert_eq!(bytes, GOLDEN, "a journal written before would not replay");
    }

    const GOLDEN: [u8; 8] = [245, 86, 146, 190, 0, 136, 110, 6];
}
