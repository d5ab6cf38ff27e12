//! What `actor!` expands to. An author sees only the macro.
//!
//! Each exported interface's functions go through [`Cell`], which holds the actor and reports a panic's
//! text and source line to the node's log before the trap ends the instance.

use std::cell::RefCell;
use std::sync::Once;

use crate::Error;
use crate::log::{self, Level};

pub use crate::bindings;
pub use crate::bindings::exports::plexspaces::actor::activation::Start;

/// Exports an actor: `actor!(Calculator: GenServer, Snapshot);`.
///
/// The list names the traits of [`actor`](mod@crate::actor) that the type implements and that the
/// component shall export, at least one of them a handler. With `Activation` in the list it makes the actor;
/// without, the type needs `Default`. To be used once in a crate, at its root.
#[macro_export]
macro_rules! actor {
    ($actor:ident : $($interface:ident),+ $(,)?) => {
        #[doc(hidden)]
        struct __PlexspacesExports;

        ::std::thread_local! {
            static __PLEXSPACES_ACTOR: $crate::export::Cell<$actor> =
                $crate::export::Cell::new($crate::__plexspaces_fresh!($actor; $($interface)+));
        }

        $( $crate::__plexspaces_export!($interface $actor); )+
    };
}

/// How an actor that nothing made yet comes to be: by `Default` unless `Activation` is exported.
#[doc(hidden)]
#[macro_export]
macro_rules! __plexspaces_fresh {
    ($actor:ident;) => { || ::core::option::Option::Some(<$actor as ::core::default::Default>::default()) };
    ($actor:ident; Activation $($rest:ident)*) => { || ::core::option::Option::None };
    ($actor:ident; $other:ident $($rest:ident)*) => { $crate::__plexspaces_fresh!($actor; $($rest)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __plexspaces_export {
    (Activation $actor:ident) => {
        impl $crate::export::bindings::exports::plexspaces::actor::activation::Guest for __PlexspacesExports {
            fn init(start: $crate::export::Start) -> Result<(), $crate::Error> {
                __PLEXSPACES_ACTOR.with(|cell| cell.activate(|| match start {
                    $crate::export::Start::Create(args) => <$actor as $crate::Activation>::create(&args),
                    $crate::export::Start::Restore(state) => <$actor as $crate::Activation>::restore(&state),
                }))
            }
        }
        $crate::__plexspaces_actor_link!(activation __export_plexspaces_actor_activation_0_1_0_cabi);
    };
    (GenServer $actor:ident) => {
        impl $crate::export::bindings::exports::plexspaces::actor::gen_server::Guest for __PlexspacesExports {
            fn handle_request(from: String, msg_type: String, payload: Vec<u8>) -> Result<Vec<u8>, $crate::Error> {
                __PLEXSPACES_ACTOR.with(|cell| cell.call(|actor| {
                    $crate::GenServer::handle_request(actor, &from, &msg_type, &payload)
                }))
            }
        }
        $crate::__plexspaces_actor_link!(gen_server __export_plexspaces_actor_gen_server_0_1_0_cabi);
    };
    (GenEvent $actor:ident) => {
        impl $crate::export::bindings::exports::plexspaces::actor::gen_event::Guest for __PlexspacesExports {
            fn handle_event(from: String, msg_type: String, payload: Vec<u8>) -> Result<(), $crate::Error> {
                __PLEXSPACES_ACTOR.with(|cell| cell.call(|actor| {
                    $crate::GenEvent::handle_event(actor, &from, &msg_type, &payload)
                }))
            }
        }
        $crate::__plexspaces_actor_link!(gen_event __export_plexspaces_actor_gen_event_0_1_0_cabi);
    };
    (GenFsm $actor:ident) => {
        impl $crate::export::bindings::exports::plexspaces::actor::gen_fsm::Guest for __PlexspacesExports {
            fn handle_transition(
                state: String,
                from: String,
                msg_type: String,
                payload: Vec<u8>,
            ) -> Result<$crate::Transition, $crate::Error> {
                __PLEXSPACES_ACTOR.with(|cell| cell.call(|actor| {
                    $crate::GenFsm::handle_transition(actor, &state, &from, &msg_type, &payload)
                }))
            }
        }
        $crate::__plexspaces_actor_link!(gen_fsm __export_plexspaces_actor_gen_fsm_0_1_0_cabi);
    };
    (MessageHandler $actor:ident) => {
        impl $crate::export::bindings::exports::plexspaces::actor::message_handler::Guest for __PlexspacesExports {
            fn handle_message(from: String, msg_type: String, payload: Vec<u8>) -> Result<Vec<u8>, $crate::Error> {
                __PLEXSPACES_ACTOR.with(|cell| cell.call(|actor| {
                    $crate::MessageHandler::handle_message(actor, &from, &msg_type, &payload)
                }))
            }
        }
        $crate::__plexspaces_actor_link!(message_handler __export_plexspaces_actor_message_handler_0_1_0_cabi);
    };
    (Snapshot $actor:ident) => {
        impl $crate::export::bindings::exports::plexspaces::actor::snapshot::Guest for __PlexspacesExports {
            fn snapshot_state() -> Result<Vec<u8>, $crate::Error> {
                __PLEXSPACES_ACTOR.with(|cell| cell.call(|actor| $crate::Snapshot::snapshot_state(actor)))
            }
        }
        $crate::__plexspaces_actor_link!(snapshot __export_plexspaces_actor_snapshot_0_1_0_cabi);
    };
    (Termination $actor:ident) => {
        impl $crate::export::bindings::exports::plexspaces::actor::termination::Guest for __PlexspacesExports {
            fn terminate(reason: String) -> Result<(), $crate::Error> {
                __PLEXSPACES_ACTOR.with(|cell| cell.call(|actor| $crate::Termination::terminate(actor, &reason)))
            }
        }
        $crate::__plexspaces_actor_link!(termination __export_plexspaces_actor_termination_0_1_0_cabi);
    };
    ($other:ident $actor:ident) => {
        ::core::compile_error!(::core::concat!(
            "`actor!` does not know `", ::core::stringify!($other), "`: it takes Activation, GenServer, GenEvent, \
             GenFsm, MessageHandler, Snapshot and Termination"
        ));
    };
}

/// The functions with the names and the C ABI of the component model, for one interface.
#[doc(hidden)]
#[macro_export]
macro_rules! __plexspaces_actor_link {
    ($module:ident $export:ident) => {
        $crate::$export!(
            __PlexspacesExports with_types_in $crate::export::bindings::exports::plexspaces::actor::$module
        );
    };
}

/// Where the actor lives between calls.
pub struct Cell<T> {
    actor: RefCell<Option<T>>,
    fresh: fn() -> Option<T>,
}

impl<T> Cell<T> {
    /// An empty cell. `fresh` makes the actor when no activation does.
    pub const fn new(fresh: fn() -> Option<T>) -> Self {
        Cell {
            actor: RefCell::new(None),
            fresh,
        }
    }

    /// Puts the actor that `make` gives into the cell.
    pub fn activate(&self, make: impl FnOnce() -> Result<T, Error>) -> Result<(), Error> {
        report_panics();
        let actor = make()?;
        *self.actor.borrow_mut() = Some(actor);
        Ok(())
    }

    /// Gives the actor to `f`.
    pub fn call<R>(&self, f: impl FnOnce(&mut T) -> Result<R, Error>) -> Result<R, Error> {
        report_panics();
        let mut actor = self.actor.borrow_mut();
        if actor.is_none() {
            *actor = (self.fresh)();
        }
        match actor.as_mut() {
            Some(actor) => f(actor),
            None => Err(Error::failed_precondition(
                "the actor was called before its `init`: it has no state yet",
            )),
        }
    }
}

fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The info's own text is "panicked at src/lib.rs:7:9:\nmessage". A failing log has nowhere to go.
        std::panic::set_hook(Box::new(|info| {
            log::log(Level::Error, &info.to_string(), &[])
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_without_activation_uses_default() {
        let cell = Cell::<u32>::new(|| Some(7));
        assert_eq!(cell.call(|n| Ok(*n)), Ok(7));
        assert_eq!(cell.activate(|| Ok(1)), Ok(()));
        assert_eq!(cell.call(|n| Ok(*n)), Ok(1));
    }

    #[test]
    fn call_before_activation_is_an_error() {
        let cell = Cell::<u32>::new(|| None);
        let error = cell.call(|n| Ok(*n)).expect_err("there is no actor");
        assert_eq!(error.code, crate::ErrorCode::FailedPrecondition);
    }

    #[test]
    fn failed_activation_leaves_no_actor() {
        let cell = Cell::<u32>::new(|| None);
        assert!(cell.activate(|| Err(Error::internal("no"))).is_err());
        assert!(cell.call(|n| Ok(*n)).is_err());
    }
}
