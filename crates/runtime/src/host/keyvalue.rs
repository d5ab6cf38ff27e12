//! `keyvalue`: values by key.

use super::recorded::Recorded;
use super::{Call, HostState, journaled, reserving, scope};
use crate::bindings::plexspaces::actor::keyvalue::{Host, KeyPage};
use crate::bindings::wit::Context;
use crate::turn::Arguments;
use bytes::Bytes;
use plexspaces_core::Result;
use plexspaces_services::{keyvalue, records, watches};
use prost::Message;

impl Host for HostState {
    async fn get(&mut self, context: Context, key: String) -> Call<Option<Vec<u8>>> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&key).digest();
        journaled!(self, "keyvalue.get", Read, arguments, |turn| {
            let now = turn.time();
            keyvalue::get(&mut turn.transaction, &scope, &key, now)
                .await
                .map(|found| found.map(Vec::from))
        })
    }

    fn put(&mut self, context: Context, key: String, value: Vec<u8>) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&key)
            .bytes(&value)
            .digest();
        journaled!(self, "keyvalue.put", All, arguments, |turn| {
            keyvalue::put(&mut turn.transaction, &scope, &key, value.into())
        })
    }

    fn put_with_ttl(
        &mut self,
        context: Context,
        key: String,
        value: Vec<u8>,
        ttl: u64,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&key)
            .bytes(&value)
            .number(ttl)
            .digest();
        journaled!(self, "keyvalue.put-with-ttl", All, arguments, |turn| {
            let now = turn.time();
            keyvalue::put_with_ttl(&mut turn.transaction, &scope, &key, value.into(), ttl, now)
        })
    }

    fn delete(&mut self, context: Context, key: String) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&key).digest();
        journaled!(self, "keyvalue.delete", All, arguments, |turn| {
            keyvalue::delete(&mut turn.transaction, &scope, &key)
        })
    }

    async fn exists(&mut self, context: Context, key: String) -> Call<bool> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&key).digest();
        journaled!(self, "keyvalue.exists", Read, arguments, |turn| {
            let now = turn.time();
            keyvalue::get(&mut turn.transaction, &scope, &key, now)
                .await
                .map(|found| found.is_some())
        })
    }

    async fn list_keys(
        &mut self,
        context: Context,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> Call<KeyPage> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&prefix)
            .optional(cursor.as_deref().map(str::as_bytes))
            .number(limit.into())
            .digest();
        journaled!(self, "keyvalue.list-keys", Read, arguments, |turn| {
            let now = turn.time();
            let cursor = cursor.as_deref();
            keyvalue::list(&mut turn.transaction, &scope, &prefix, cursor, limit, now)
                .await
                .map(|page| KeyPage {
                    keys: page.keys,
                    cursor: page.cursor,
                })
        })
    }

    async fn compare_and_swap(
        &mut self,
        context: Context,
        key: String,
        expected: Option<Vec<u8>>,
        new: Vec<u8>,
    ) -> Call<bool> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&key)
            .optional(expected.as_deref())
            .bytes(&new)
            .digest();
        reserving!(self, "keyvalue.compare-and-swap", arguments, |turn| {
            let (now, expected) = (turn.time(), expected.as_deref());
            let transaction = &mut turn.transaction;
            keyvalue::compare_and_swap(transaction, &scope, &key, expected, new.into(), now).await
        })
    }

    async fn increment(&mut self, context: Context, key: String, delta: i64) -> Call<i64> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&key)
            .number(delta.cast_unsigned())
            .digest();
        reserving!(self, "keyvalue.increment", arguments, |turn| {
            let now = turn.time();
            keyvalue::increment(&mut turn.transaction, &scope, &key, delta, now).await
        })
    }

    async fn watch(&mut self, context: Context, prefix: String) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&prefix).digest();
        journaled!(self, "keyvalue.watch", All, arguments, |turn| {
            let (actor, id) = (turn.actor.clone(), turn.fresh_id());
            watches::watch(&mut turn.transaction, &scope, &actor, &prefix, id).await
        })
    }

    async fn unwatch(&mut self, context: Context, prefix: String) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&prefix).digest();
        journaled!(self, "keyvalue.unwatch", All, arguments, |turn| {
            let actor = turn.actor.clone();
            watches::unwatch(&mut turn.transaction, &scope, &actor, &prefix).await
        })
    }
}

impl Recorded for KeyPage {
    fn to_record(&self) -> Bytes {
        let page = records::Page {
            names: self.keys.clone(),
            cursor: self.cursor.clone(),
        };
        page.encode_to_vec().into()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let page =
            records::Page::decode(bytes).map_err(|_| super::recorded::corrupt("page of keys"))?;
        Ok(KeyPage {
            keys: page.names,
            cursor: page.cursor,
        })
    }
}
