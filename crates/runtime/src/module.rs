//! A compiled component, ready to be instantiated.

use crate::bindings::wit;
use crate::contract::{Contract, PACKAGE, VERSION};
use crate::engine::Engine;
use crate::host::HostState;
use crate::instance::Setup;
use plexspaces_core::{Code, Error, Result};
use plexspaces_services::applications::Hash;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, ComponentType, InstancePre, Lift, Lower,
};

/// A compiled component with its exports looked up.
pub struct Module {
    /// The SHA-256 of its bytes.
    pub hash: Hash,
    /// What it offers.
    pub contract: Contract,
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) exports: Exports,
}

/// Where the exported functions are; `None` for interfaces that the component does not have.
#[derive(Default)]
pub(crate) struct Exports {
    pub(crate) init: Option<ComponentExportIndex>,
    pub(crate) handle_request: Option<ComponentExportIndex>,
    pub(crate) handle_event: Option<ComponentExportIndex>,
    pub(crate) handle_transition: Option<ComponentExportIndex>,
    pub(crate) handle_message: Option<ComponentExportIndex>,
    pub(crate) snapshot_state: Option<ComponentExportIndex>,
    pub(crate) terminate: Option<ComponentExportIndex>,
}

/// The argument of `init`.
#[derive(Clone, Debug, ComponentType, Lower)]
#[component(variant)]
pub(crate) enum StartArgument {
    #[component(name = "create")]
    Create(Vec<u8>),
    #[component(name = "restore")]
    Restore(Vec<u8>),
}

/// What `handle-transition` gives.
#[derive(Clone, Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Transition {
    pub(crate) next: String,
    pub(crate) reply: Vec<u8>,
}

/// The parameters of the handlers that take a message.
pub(crate) type MessageParams<'a> = (&'a str, &'a str, &'a [u8]);
/// The result of an export.
pub(crate) type ExportResult<T> = (std::result::Result<T, wit::Error>,);

impl Module {
    pub(crate) fn new(
        engine: &Engine,
        hash: Hash,
        contract: Contract,
        component: &Component,
    ) -> Result<Self> {
        let misfit = |e: wasmtime::Error| {
            Error::new(
                Code::WrongWorld,
                format!(
                    "the component imports what {PACKAGE}@{VERSION} and WASI 0.2 do not offer: {e:#}"
                ),
            )
        };
        let pre = engine.linker.instantiate_pre(component).map_err(misfit)?;
        let exports = Exports::find(component);
        Ok(Module {
            hash,
            contract,
            engine: engine.clone(),
            pre,
            exports,
        })
    }

    /// The least memory that an instance can have is not known before it is made: makes one, checks the types of the
    /// exported functions, and drops it.
    ///
    /// # Errors
    /// `PS2003` for an export of another type, `PS3003` when it does not fit into `memory_max` bytes.
    pub async fn try_out(&self, memory_max: u64) -> Result<()> {
        let mut store = wasmtime::Store::new(
            &self.engine.wasmtime,
            HostState::new(self, Setup::detached(memory_max)?),
        );
        store.limiter(|state| &mut state.limiter);
        store.data().start_clock();
        // Nothing but start functions run here, and they are bounded as a turn is.
        crate::instance::interrupt(&mut store);
        let instance = {
            let _running = self.engine.ticker.enter();
            self.pre
                .instantiate_async(&mut store)
                .await
                .map_err(|e| crate::failure::instantiation(&e))?
        };
        let e = &self.exports;
        let mut check = Check {
            store: &mut store,
            instance,
        };
        check.of::<(StartArgument,), ExportResult<()>>("activation", "init", e.init)?;
        check.of::<MessageParams<'_>, ExportResult<Vec<u8>>>(
            "gen-server",
            "handle-request",
            e.handle_request,
        )?;
        check.of::<MessageParams<'_>, ExportResult<()>>(
            "gen-event",
            "handle-event",
            e.handle_event,
        )?;
        check.of::<(&str, &str, &str, &[u8]), ExportResult<Transition>>(
            "gen-fsm",
            "handle-transition",
            e.handle_transition,
        )?;
        check.of::<MessageParams<'_>, ExportResult<Vec<u8>>>(
            "message-handler",
            "handle-message",
            e.handle_message,
        )?;
        check.of::<(), ExportResult<Vec<u8>>>("snapshot", "snapshot-state", e.snapshot_state)?;
        check.of::<(&str,), ExportResult<()>>("termination", "terminate", e.terminate)
    }
}

struct Check<'a> {
    store: &'a mut wasmtime::Store<HostState>,
    instance: wasmtime::component::Instance,
}

impl Check<'_> {
    fn of<P, R>(
        &mut self,
        interface: &str,
        name: &str,
        export: Option<ComponentExportIndex>,
    ) -> Result<()>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let Some(export) = export else { return Ok(()) };
        match self
            .instance
            .get_typed_func::<P, R>(&mut *self.store, export)
        {
            Ok(_) => Ok(()),
            Err(e) => Err(Error::new(
                Code::WrongWorld,
                format!(
                    "the component's {PACKAGE}/{interface}#{name} has another type than version {VERSION}: {e:#}"
                ),
            )),
        }
    }
}

impl Exports {
    fn find(component: &Component) -> Self {
        let find = |interface: &str, function: &str| {
            let interface =
                component.get_export_index(None, format!("{PACKAGE}/{interface}@{VERSION}"))?;
            component.get_export_index(Some(&interface), function)
        };
        Exports {
            init: find("activation", "init"),
            handle_request: find("gen-server", "handle-request"),
            handle_event: find("gen-event", "handle-event"),
            handle_transition: find("gen-fsm", "handle-transition"),
            handle_message: find("message-handler", "handle-message"),
            snapshot_state: find("snapshot", "snapshot-state"),
            terminate: find("termination", "terminate"),
        }
    }
}
