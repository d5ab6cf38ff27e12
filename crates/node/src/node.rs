//! The handle of a running node.

use crate::catalog::Catalog;
use crate::deploy::describe;
use crate::drive;
use crate::lane::Lanes;
use crate::resident::{Envelope, Origin, Told};
use crate::shared::{Shared, wall};
use crate::{collect, feeds, passivate, recover, sweep, timers};
use bytes::Bytes;
use dashmap::DashMap;
use plexspaces_core::batch::{Batch, Urgency};
use plexspaces_core::message::{self, Delivery, FROM_HTTP, Message};
use plexspaces_core::time::{Millis, Timeline};
use plexspaces_core::{ActorId, Code, Error, Result};
use plexspaces_runtime::{Engine, Modules};
use plexspaces_services::blob::{self, Content};
use plexspaces_services::clock::Stamp;
use plexspaces_services::dedup::{self, CallerId};
use plexspaces_services::records::{MailboxRow, encode};
use plexspaces_services::{Coordination, clock, fault, mailbox};
use plexspaces_store::{Key, Store};
use serde::Serialize;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// What a node is started with.
pub struct Options {
    /// Its name, for people.
    pub node_id: String,
    /// Where everything durable is.
    pub store: Arc<dyn Store>,
    /// Where the bytes of blobs are.
    pub blobs: Content,
    /// How long after a change blob content is looked through for orphans; [`COLLECT_AFTER`] is good.
    pub collect_after: Duration,
    /// The folder for compiled code.
    pub cache: PathBuf,
}

/// Content has to be an hour old before it is collected, and whatever a change has left is that old then.
pub const COLLECT_AFTER: Duration = Duration::from_secs(61 * 60);

/// A message from outside.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the caller calls it.
    pub msg_type: String,
    /// What it carries.
    pub payload: Bytes,
    /// The caller's id for it: the same id gets the same reply, and takes effect once.
    pub idempotency_key: Option<String>,
    /// How long to wait for the reply.
    pub timeout: Duration,
}

/// A deployed application.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Application {
    /// Its id.
    pub application_id: String,
    /// Its name.
    pub name: String,
    /// Its version, as the deployer gave it.
    pub version: String,
    /// The tenant of its actors.
    pub tenant: String,
    /// The namespace of its actors.
    pub namespace: String,
    /// Its actor types.
    pub actor_types: Vec<ActorTypeInfo>,
    /// When it was deployed, in milliseconds since the Unix epoch.
    pub deployed_ms: u64,
}

/// An actor type of an application.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct ActorTypeInfo {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its module.
    pub module: String,
    /// Whether its actors are durable.
    pub durable: bool,
    /// The contract's interfaces that the module exports.
    pub exports: Vec<String>,
}

/// A node's figures.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// The node's name.
    pub node_id: String,
    /// Deployed applications.
    pub applications: usize,
    /// Modules in memory.
    pub modules_loaded: usize,
    /// Modules compiled since the start.
    pub modules_compiled: u64,
    /// Actors with anything in memory.
    pub actors_in_memory: usize,
    /// Live instances.
    pub instances: usize,
    /// Turns run since the start, replays not counted.
    pub turns: u64,
    /// What was done with the bytes of blobs since the start.
    pub blobs: blob::Figures,
}

/// A running node. Cheap to clone. When the last clone is dropped without [`Node::shutdown`], it ends as in a crash,
/// after the turns under way.
#[derive(Clone)]
pub struct Node {
    id: Arc<str>,
    shared: Arc<Owned>,
}

/// The node's parts, as long as there is a node. Live actors hold on to them, and they to the actors.
struct Owned(Arc<Shared>);

impl Deref for Owned {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::SeqCst);
        self.0.residents.clear();
    }
}

/// How long a shutdown waits for turns under way.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(10);

impl Node {
    /// Starts a node: what was deployed is there, and waiting messages go on.
    ///
    /// # Errors
    /// A fault of the store, `PS5006` when the cache folder cannot be used, `PS5010` when the place of the blobs cannot be
    /// used or belongs to another store, or `PS9001` when the engine cannot start.
    pub async fn start(options: Options) -> Result<Node> {
        let engine = Engine::new()
            .map_err(|e| Error::new(Code::Internal, format!("the engine cannot start: {e:#}")))?;
        let unusable = |e: std::io::Error| {
            Error::new(
                Code::DataFolderUnusable,
                format!("{}: {e}", options.cache.display()),
            )
        };
        let modules = Modules::open(engine, &options.cache).map_err(unusable)?;
        blob::claim(&options.blobs, options.store.as_ref()).await?;
        let newest = clock::newest(options.store.snapshot().as_ref()).await?;
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let timeline = Arc::new(Timeline::after(newest));
        let tickets = timeline.clone();
        let coordination = Coordination::new(Box::new(move || tickets.ticket(wall())));
        let shared = Arc::new(Shared {
            store: options.store,
            coordination: Arc::new(coordination),
            content: options.blobs,
            modules,
            catalog: Catalog::default(),
            residents: DashMap::new(),
            waits: DashMap::new(),
            asking: DashMap::new(),
            timeline,
            stamp: Stamp::default(),
            lanes: Lanes::new(threads).map_err(unusable)?,
            hot: Arc::new(AtomicUsize::new(0)),
            turns: AtomicU64::new(0),
            look: Arc::default(),
            rested: Notify::new(),
            pumps: feeds::Pumps::default(),
            expiring: Arc::default(),
            timers: Arc::default(),
            unpark: AtomicBool::new(true),
            collector_gone: Arc::default(),
            closing: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            deploying: tokio::sync::Mutex::new(()),
        });
        recover::applications(&shared).await?;
        // Before any turn can publish.
        recover::subscriptions(&shared).await?;
        recover::messages(&shared, None).await?;
        recover::feeds(&shared).await?;
        feeds::start(&shared);
        passivate::start(&shared);
        sweep::start(&shared);
        timers::start(&shared);
        collect::start(&shared, options.collect_after);
        Ok(Node {
            id: options.node_id.into(),
            shared: Arc::new(Owned(shared)),
        })
    }

    /// The node's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Asks an actor. Returns when the reply, and all that it could have seen, is durable.
    ///
    /// # Errors
    /// The actor's error, or that of the way there.
    pub async fn ask(&self, to: &ActorId, request: Request) -> Result<Bytes> {
        self.shared.check_open()?;
        let deployment = self.shared.catalog.of(to)?;
        let message = self.message(
            request.msg_type,
            request.payload,
            Delivery::Ask,
            deployment.limits.message_bytes,
        )?;
        let caller = caller_id(to, request.idempotency_key, &message)?;
        let slot = self
            .shared
            .reserve_slot(to, deployment.limits.mailbox_messages)?;
        let (sender, receiver) = oneshot::channel();
        let work = self.shared.deliver_here(
            to,
            Envelope {
                message,
                origin: Origin::Outside(sender),
                caller,
                deadline: None,
            },
        );
        drop(slot);
        let reply = tokio::time::timeout(request.timeout, receiver);
        let error = match drive::until(work, reply).await {
            Ok(Ok(Told { outcome, seen })) => {
                self.shared.gate_of(seen).await?;
                return outcome;
            }
            Ok(Err(_)) => no_outcome(to),
            Err(_) => self.shared.ask_timeout(None, to, request.timeout),
        };
        self.shared.gate().await?;
        Err(error)
    }

    /// Sends to an actor. Returns when the message is durable.
    ///
    /// # Errors
    /// What refuses the message; what its turn does later is not told.
    pub async fn tell(&self, to: &ActorId, request: Request) -> Result<()> {
        self.shared.check_open()?;
        let deployment = self.shared.catalog.of(to)?;
        let message = self.message(
            request.msg_type,
            request.payload,
            Delivery::Send,
            deployment.limits.message_bytes,
        )?;
        deployment.module.contract.route(Delivery::Send)?;
        let caller = caller_id(to, request.idempotency_key, &message)?;
        if let Some(caller) = &caller
            && dedup::find(self.shared.store.as_ref(), to, caller)
                .await?
                .is_some()
        {
            return self.shared.gate().await;
        }
        let slot = self
            .shared
            .reserve_slot(to, deployment.limits.mailbox_messages)?;
        if caller.is_some() {
            self.shared.check_keys(to).await?;
        }
        let (row, content) = (
            mailbox::key(to, self.shared.ticket()),
            mailbox_row(&message),
        );
        let mut batch = Batch {
            urgency: Urgency::Now,
            ..Batch::new()
        };
        batch.put(row.clone(), encode(&content));
        if let Some(caller) = &caller {
            batch.guard(caller.key(to), plexspaces_core::batch::Version::ABSENT);
            dedup::remember(&mut batch, to, caller, &Ok(Bytes::new()), self.shared.now());
        }
        match (self.shared.commit(batch).await, &caller) {
            (Ok(_), _) => {
                if caller.is_some() {
                    self.shared.key_remembered(to);
                }
                self.shared.deliver(to, Envelope::from_row(row, content)?);
            }
            // The same id came twice at once, and the other one is accepted: if it was for the same message, this is it.
            (Err(plexspaces_store::Error::Conflict { .. }), Some(caller)) => {
                dedup::find(self.shared.store.as_ref(), to, caller).await?;
            }
            (Err(error), _) => return Err(fault(error)),
        }
        drop(slot);
        self.shared.gate().await
    }

    /// Makes an actor with creation arguments. Returns when it is active; not yet durable.
    ///
    /// # Errors
    /// `PS1014` if it exists, `PS1002`, or what its `init` gave.
    pub async fn spawn(&self, id: &ActorId, args: Bytes) -> Result<()> {
        self.shared.check_open()?;
        let deployment = self.shared.catalog.of(id)?;
        let slot = self
            .shared
            .reserve_slot(id, deployment.limits.mailbox_messages)?;
        let message = Message {
            from: FROM_HTTP.into(),
            msg_type: String::new(),
            payload: args,
            delivery: Delivery::Create,
        };
        let (sender, receiver) = oneshot::channel();
        let work = self.shared.deliver_here(
            id,
            Envelope {
                message,
                origin: Origin::Here(sender),
                caller: None,
                deadline: None,
            },
        );
        drop(slot);
        match drive::until(work, receiver).await {
            Ok(outcome) => outcome.map(drop),
            Err(_) => Err(Error::new(Code::Internal, format!("{id} was not made"))),
        }
    }

    /// The longest payload that an actor takes, in bytes.
    ///
    /// # Errors
    /// `PS1002`.
    pub fn message_limit(&self, to: &ActorId) -> Result<u64> {
        Ok(self.shared.catalog.of(to)?.limits.message_bytes)
    }

    /// All applications, by id.
    #[must_use]
    pub fn applications(&self) -> Vec<Application> {
        self.shared
            .catalog
            .applications()
            .iter()
            .map(|record| describe(&self.shared, record))
            .collect()
    }

    /// One application.
    ///
    /// # Errors
    /// `PS1003`.
    pub fn application(&self, id: &str) -> Result<Application> {
        match self.shared.catalog.application(id) {
            Some(record) => Ok(describe(&self.shared, &record)),
            None => Err(unknown_application(id)),
        }
    }

    /// The node's figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = &self.shared;
        Stats {
            node_id: self.id.to_string(),
            applications: shared.catalog.applications().len(),
            modules_loaded: shared.modules.loaded(),
            modules_compiled: shared.modules.compiled(),
            actors_in_memory: shared.residents.len(),
            instances: shared.hot.load(Ordering::Relaxed),
            turns: shared.turns.load(Ordering::Relaxed),
            blobs: shared.content.figures(),
        }
    }

    /// Resolves when the store has failed for good.
    pub async fn failed(&self) -> Error {
        fault(self.shared.store.stopped().await)
    }

    /// Ends in an orderly way: turns under way end, actors become passive, everything is flushed.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn shutdown(&self) -> Result<()> {
        self.shared.closing.store(true, Ordering::Relaxed);
        let until = Instant::now() + SHUTDOWN_WAIT;
        while passivate::all(&self.shared).await && Instant::now() < until {
            // A turn that ends says so.
            let _ = tokio::time::timeout(Duration::from_millis(50), self.shared.rested.notified())
                .await;
        }
        self.shared.store.close().await.map_err(fault)
    }

    fn message(
        &self,
        msg_type: String,
        payload: Bytes,
        delivery: Delivery,
        max: u64,
    ) -> Result<Message> {
        message::check_msg_type(&msg_type)
            .map_err(|problem| Error::new(Code::MalformedRequest, problem))?;
        check_payload(payload.len(), max)?;
        Ok(Message {
            from: FROM_HTTP.to_owned(),
            msg_type,
            payload,
            delivery,
        })
    }
}

/// A message as a mailbox row that nobody waits for.
pub(crate) fn mailbox_row(message: &Message) -> MailboxRow {
    MailboxRow {
        message: Some(message.into()),
        reply_to: Bytes::new(),
        deadline_ms: 0,
    }
}

/// Refuses a payload that the receiver does not take.
pub(crate) fn check_payload(bytes: usize, max: u64) -> Result<()> {
    if bytes as u64 <= max {
        return Ok(());
    }
    Err(Error::new(
        Code::MessageTooLarge,
        format!("the message has {bytes} bytes; the receiver's limit `message_bytes` is {max}"),
    ))
}

/// Whoever ran the turn has gone: a fault of the node's own.
pub(crate) fn no_outcome(to: &ActorId) -> Error {
    Error::new(
        Code::Internal,
        format!("the turn of {to} ended without an outcome"),
    )
}

pub(crate) fn unknown_application(id: &str) -> Error {
    Error::new(
        Code::UnknownApplication,
        format!("no application has the id {id:?}"),
    )
}

fn caller_id(to: &ActorId, id: Option<String>, message: &Message) -> Result<Option<CallerId>> {
    id.map(|id| CallerId::new(to.scope().tenant(), &id, message))
        .transpose()
}

impl Shared {
    /// The error of an ask without a reply in time; names the cycle of askers if there is one.
    pub(crate) fn ask_timeout(
        &self,
        asker: Option<&ActorId>,
        to: &ActorId,
        timeout: Duration,
    ) -> Error {
        let text = format!("{to} did not reply within {} ms", timeout.as_millis());
        match asker.and_then(|asker| self.cycle(asker, to)) {
            Some(cycle) => Error::new(
                Code::AskTimeout,
                format!("{text}: the actors ask each other in a cycle: {cycle}"),
            )
            .with("cycle", cycle),
            None => Error::new(Code::AskTimeout, text),
        }
    }

    fn cycle(&self, asker: &ActorId, to: &ActorId) -> Option<String> {
        const LONGEST: usize = 100;
        let mut path = vec![asker.local(), to.local()];
        let mut at = to.clone();
        while path.len() < LONGEST {
            at = self.asking.get(&at)?.clone();
            path.push(at.local());
            if at == *asker {
                return Some(path.join(" → "));
            }
        }
        None
    }

    /// How long until `deadline`.
    pub(crate) fn until(&self, deadline: Millis) -> Duration {
        Duration::from_millis(deadline.0.saturating_sub(wall().0))
    }
}

/// The key of a row, for clarity at the call.
pub(crate) fn row_bytes(key: &Key) -> Bytes {
    key.0.clone()
}
