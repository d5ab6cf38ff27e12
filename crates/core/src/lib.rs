//! The words and the pure decisions of PlexSpaces.
//!
//! Everything here is a value or a function of values: no clock, no I/O, no async runtime. Time is passed in.
//! The crates above (`store`, `services`, `runtime`, `node`, `api`, `cli`) speak in these types.
//!
//! * [`batch`]: what a turn asks of the store
//! * [`code`]: the stable codes `PSnnnn` of every error that a user can see
//! * [`error`]: such an error
//! * [`id`]: who is who: tenants, namespaces, actor types, actors
//! * [`limits`]: the bounds of one actor's turns
//! * [`message`]: what actors are told
//! * [`retry`]: what becomes of a message whose turn failed
//! * [`time`]: wall time that never goes back
//! * [`value`]: tuples and patterns

pub mod batch;
pub mod code;
pub mod error;
pub mod id;
pub mod limits;
pub mod message;
pub mod retry;
pub mod time;
pub mod value;

pub use code::Code;
pub use error::{Error, ErrorKind, Result};
pub use id::{ActorId, Scope};
