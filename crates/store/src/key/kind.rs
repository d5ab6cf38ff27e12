//! The kinds of things that are stored, as they stand in every key.

/// What an entry is. The third element of a tenant's key, the second of a node's.
///
/// The numbers are on disks: never to be changed, and never to be reused when a kind goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A deployed application.
    Application = 1,
    /// One deployment of an application.
    Deployment = 2,
    /// A WebAssembly module's record.
    Module = 3,
    /// A piece of a module's bytes.
    ModuleChunk = 4,
    /// A tenant's namespace.
    Scope = 5,
    /// When something expires or falls due.
    Expiry = 6,
    /// The newest time that the store knows.
    Clock = 7,
    /// When a timer is due.
    Due = 8,
    /// An actor's record.
    Actor = 16,
    /// An actor's state at one of its turns.
    Checkpoint = 17,
    /// One turn of an actor.
    Journal = 18,
    /// A message on its way into a turn.
    Mailbox = 19,
    /// What a turn waits for.
    Wait = 20,
    /// The reply to a message id seen before.
    Dedup = 21,
    /// A message that was given up.
    DeadLetter = 22,
    /// What a checkpoint's restore was answered.
    Restored = 23,
    /// A tuple of a tuple space.
    Tuple = 32,
    /// A value of the key-value store.
    KeyValue = 33,
    /// A message that an actor gets later.
    Timer = 44,
    /// A service's entry in the registry.
    Registration = 45,
    /// A value that a durable actor keeps for itself.
    Persisted = 46,
    /// Something published that subscribers are to get.
    Feed = 34,
    /// Who gets what is published in a feed.
    Subscription = 35,
    /// A process group.
    Group = 38,
    /// A member of a process group.
    Member = 39,
    /// A blob: its name, and the chunks of its content.
    Blob = 36,
    /// An upload that goes on over several turns.
    BlobUpload = 37,
    /// What a queue is like.
    Queue = 40,
    /// A message in a queue.
    QueueMessage = 41,
    /// A lock.
    Lock = 42,
    /// A lock, by its holder.
    LockHeld = 43,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[Kind] = &[
        Kind::Application,
        Kind::Deployment,
        Kind::Module,
        Kind::ModuleChunk,
        Kind::Scope,
        Kind::Expiry,
        Kind::Clock,
        Kind::Due,
        Kind::Actor,
        Kind::Checkpoint,
        Kind::Journal,
        Kind::Mailbox,
        Kind::Wait,
        Kind::Dedup,
        Kind::DeadLetter,
        Kind::Restored,
        Kind::Tuple,
        Kind::KeyValue,
        Kind::Timer,
        Kind::Registration,
        Kind::Persisted,
        Kind::Feed,
        Kind::Subscription,
        Kind::Group,
        Kind::Member,
        Kind::Blob,
        Kind::BlobUpload,
        Kind::Queue,
        Kind::QueueMessage,
        Kind::Lock,
        Kind::LockHeld,
    ];

    /// The kind with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| *kind as u8 == number)
    }
}
