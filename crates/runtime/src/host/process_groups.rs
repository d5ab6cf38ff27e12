//! `process-groups`: actors that are reached together.

use super::recorded::{Recorded, corrupt};
use super::{Call, HostState, journaled, reserving, scope};
use crate::bindings::plexspaces::actor::process_groups::{Host, MemberPage};
use crate::bindings::wit::Context;
use crate::turn::Arguments;
use bytes::Bytes;
use plexspaces_core::Result;
use plexspaces_services::topics::Publication;
use plexspaces_services::{groups, records};
use prost::Message;

impl Host for HostState {
    async fn create_group(&mut self, context: Context, group: String) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&group).digest();
        reserving!(self, "process-groups.create-group", arguments, |turn| {
            let now = turn.time();
            groups::create(&mut turn.transaction, &scope, &group, now).await
        })
    }

    async fn join_group(
        &mut self,
        context: Context,
        group: String,
        topics: Vec<String>,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let mut arguments = Arguments::new().scope(&scope).text(&group);
        for topic in &topics {
            arguments = arguments.text(topic);
        }
        let arguments = arguments.digest();
        journaled!(self, "process-groups.join-group", All, arguments, |turn| {
            let (actor, id) = (turn.actor.clone(), turn.fresh_id());
            let ephemeral = !turn.journaled();
            let transaction = &mut turn.transaction;
            groups::join(transaction, &scope, &group, &actor, topics, ephemeral, id).await
        })
    }

    async fn leave_group(&mut self, context: Context, group: String) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&group).digest();
        journaled!(self, "process-groups.leave-group", All, arguments, |turn| {
            let actor = turn.actor.clone();
            groups::leave(&mut turn.transaction, &scope, &group, &actor).await
        })
    }

    async fn get_members(
        &mut self,
        context: Context,
        group: String,
        topic: Option<String>,
        cursor: Option<String>,
        limit: u32,
    ) -> Call<MemberPage> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&group)
            .optional(topic.as_deref().map(str::as_bytes))
            .optional(cursor.as_deref().map(str::as_bytes))
            .number(limit.into())
            .digest();
        journaled!(
            self,
            "process-groups.get-members",
            Read,
            arguments,
            |turn| {
                let (topic, cursor) = (topic.as_deref(), cursor.as_deref());
                groups::members(&mut turn.transaction, &scope, &group, topic, cursor, limit)
                    .await
                    .map(|page| MemberPage {
                        members: page.members.iter().map(|id| id.local()).collect(),
                        cursor: page.cursor.map(|id| id.local()),
                    })
            }
        )
    }

    async fn publish_to_group(
        &mut self,
        context: Context,
        group: String,
        topic: Option<String>,
        msg_type: String,
        payload: Vec<u8>,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&group)
            .optional(topic.as_deref().map(str::as_bytes))
            .text(&msg_type)
            .bytes(&payload)
            .digest();
        let message = Publication {
            msg_type,
            payload: payload.into(),
            attributes: Vec::new(),
        };
        journaled!(
            self,
            "process-groups.publish-to-group",
            All,
            arguments,
            |turn| {
                let (from, bytes_max) = (turn.actor.clone(), turn.bytes_max);
                let transaction = &mut turn.transaction;
                groups::publish(
                    transaction,
                    &scope,
                    &group,
                    topic,
                    &from,
                    message,
                    bytes_max,
                )
                .await
            }
        )
    }
}

impl Recorded for MemberPage {
    fn to_record(&self) -> Bytes {
        let page = records::Page {
            names: self.members.clone(),
            cursor: self.cursor.clone(),
        };
        page.encode_to_vec().into()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let page = records::Page::decode(bytes).map_err(|_| corrupt("page of members"))?;
        Ok(MemberPage {
            members: page.names,
            cursor: page.cursor,
        })
    }
}
