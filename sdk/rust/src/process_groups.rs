//! Process groups: actors that are reached together. Messages come as infos, see [`Event`](crate::Event).

use crate::bindings::plexspaces::actor::process_groups as host;
use crate::{Context, Error};

pub use crate::bindings::plexspaces::actor::process_groups::MemberPage;

/// Makes a group without members. `already-exists` if it is there.
pub fn create_group(group: &str) -> Result<(), Error> {
    Groups::own().create(group)
}

/// Makes this actor a member that gets what is published without a topic or under one of `topics`; without topics,
/// everything. Joining again adds the topics.
pub fn join_group(group: &str, topics: &[&str]) -> Result<(), Error> {
    Groups::own().join(group, topics)
}

/// Ends the membership, if there is one. What was published before still comes.
pub fn leave_group(group: &str) -> Result<(), Error> {
    Groups::own().leave(group)
}

/// Up to `limit` (1 to 1,000) members, or those that a message under `topic` reaches, in order, after `cursor`.
pub fn get_members(group: &str, topic: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<MemberPage, Error> {
    Groups::own().members(group, topic, cursor, limit)
}

/// Publishes to all members, or to those that a topic reaches.
pub fn publish_to_group(group: &str, topic: Option<&str>, msg_type: &str, payload: &[u8]) -> Result<(), Error> {
    Groups::own().publish(group, topic, msg_type, payload)
}

/// The groups of one namespace. The module's functions use the actor's own.
#[derive(Clone)]
pub struct Groups(Context);

impl Groups {
    /// The actor's own namespace.
    pub fn own() -> Self {
        Groups(Context::own())
    }

    /// The namespace that a context names.
    pub fn of(context: Context) -> Self {
        Groups(context)
    }

    /// As [`create_group`].
    pub fn create(&self, group: &str) -> Result<(), Error> {
        host::create_group(&self.0, group)
    }

    /// As [`join_group`].
    pub fn join(&self, group: &str, topics: &[&str]) -> Result<(), Error> {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        host::join_group(&self.0, group, &topics)
    }

    /// As [`leave_group`].
    pub fn leave(&self, group: &str) -> Result<(), Error> {
        host::leave_group(&self.0, group)
    }

    /// As [`get_members`].
    pub fn members(
        &self,
        group: &str,
        topic: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<MemberPage, Error> {
        host::get_members(&self.0, group, topic, cursor, limit)
    }

    /// As [`publish_to_group`].
    pub fn publish(&self, group: &str, topic: Option<&str>, msg_type: &str, payload: &[u8]) -> Result<(), Error> {
        host::publish_to_group(&self.0, group, topic, msg_type, payload)
    }
}
