//! Breaks every limit there is, on request, and shows what the host gives.
//!
//! | ask | payload | does |
//! |---|---|---|
//! | `loop` | | never returns |
//! | `alloc` | | allocates, and touches, without end |
//! | `recurse` | | recurses without end on WebAssembly's own stack |
//! | `recurse_framed` | | recurses without end on the compiler's stack in the linear memory |
//! | `trap` | | executes `unreachable` |
//! | `panic` | text | panics, with this text in the log |
//! | `error` | code, such as `not-found` | returns this error, with two details |
//! | `big` | number | returns so many bytes |
//! | `echo` | anything | returns it |
//! | `log` | text | logs it at each level, with a field, and returns it |
//! | `random` | number | returns so many of the host's random bytes |
//! | `now`, `monotonic` | | returns the host's time as text, in ms and in ns |
//! | `write_many` | number | writes so many tuples |
//! | `send_many` | `number target` | sends so many messages |
//!
//! `init` traps when its argument is `trap-init`, and refuses with `failed-precondition` when it is `refuse-init`.

use plexspaces_sdk::log::{self, Level};
use plexspaces_sdk::prelude::*;

struct Misbehave;

impl Activation for Misbehave {
    fn create(args: &[u8]) -> Result<Self, Error> {
        match args {
            b"trap-init" => trap(),
            b"refuse-init" => Err(Error::failed_precondition("refused, as asked")),
            _ => Ok(Misbehave),
        }
    }

    fn restore(_state: &[u8]) -> Result<Self, Error> {
        Ok(Misbehave)
    }
}

impl GenServer for Misbehave {
    fn handle_request(
        &mut self,
        _from: &str,
        msg_type: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let text = || std::str::from_utf8(payload).map_err(Error::invalid_argument);
        match msg_type {
            "loop" => spin(),
            "alloc" => hoard(),
            "recurse" => Ok(dive(std::hint::black_box(0)).to_string().into()),
            "recurse_framed" => Ok(dive_framed(0).to_string().into()),
            "trap" => trap(),
            "panic" => panic!("{}", text()?),
            "error" => Err(error(text()?)),
            "big" => Ok(vec![b'x'; number(text()?)?]),
            "echo" => Ok(payload.to_vec()),
            "log" => {
                for level in [
                    Level::Trace,
                    Level::Debug,
                    Level::Info,
                    Level::Warn,
                    Level::Error,
                ] {
                    log::log(level, text()?, &[("guest", "misbehave")]);
                }
                Ok(payload.to_vec())
            }
            "random" => system::random_bytes(number(text()?)?),
            "now" => Ok(system::now()?.as_millis().to_string().into()),
            "monotonic" => Ok(system::monotonic()?.as_nanos().to_string().into()),
            "write_many" => {
                for n in 0..number::<i64>(text()?)? {
                    tuplespace::write(tuple!["many", n])?;
                }
                Ok(Vec::new())
            }
            "send_many" => {
                let (count, to) = text()?
                    .split_once(' ')
                    .ok_or_else(|| Error::invalid_argument("`number target` expected"))?;
                for n in 0..number::<u32>(count)? {
                    messaging::send(to, "many", n.to_string().as_bytes())?;
                }
                Ok(Vec::new())
            }
            other => Err(Error::invalid_argument(format!(
                "unknown message type {other:?}"
            ))),
        }
    }
}

impl Snapshot for Misbehave {
    fn snapshot_state(&self) -> Result<Vec<u8>, Error> {
        Ok(Vec::new())
    }
}

actor!(Misbehave: Activation, GenServer, Snapshot);

// Each goes through `black_box`, or the optimizer would see that it leads nowhere.

fn spin() -> ! {
    let mut turns = 0u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn hoard() -> ! {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(vec![1; 1 << 20]);
        std::hint::black_box(&kept);
    }
}

/// Needs WebAssembly's own stack only: no frame of it lies in the linear memory.
fn dive(depth: u64) -> u64 {
    if depth == u64::MAX {
        return 0;
    }
    // Not the last operation, or the call would become a loop.
    dive(depth + 1).rotate_left(1) ^ depth
}

/// Needs the stack that the compiler keeps in the linear memory.
#[expect(unconditional_recursion, reason = "this is its purpose")]
fn dive_framed(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 16]);
    dive_framed(depth + 1) + std::hint::black_box(frame)[0]
}

fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

fn error(code: &str) -> Error {
    match ErrorCode::ALL
        .into_iter()
        .find(|known| known.as_str() == code)
    {
        Some(known) => Error::new(known, "as asked")
            .with("code", code)
            .with("guest", "misbehave"),
        None => Error::invalid_argument(format!("no code is called {code:?}")),
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Error> {
    text.parse()
        .map_err(|e| Error::invalid_argument(format!("{text:?} is no number: {e}")))
}
