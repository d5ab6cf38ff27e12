"""Calls the registry, durability and timers as the seeds do. The ask `registry`, `durability` or `timers` replies JSON."""

import json

from plexspaces import AlreadyExists, InvalidArgument, NotFound, host

ticks = []


def handle_request(from_actor, message_type, payload):
    ctx = {"tenant-id": "", "namespace": ""}
    if message_type == "registry":
        return json.dumps(_registry(ctx))
    if message_type == "durability":
        return json.dumps(_durability(ctx))
    if message_type == "timers":
        return json.dumps(_timers())
    if message_type == "ticks":
        return json.dumps(ticks)
    raise NotFound(message_type)


def handle_event(from_actor, message_type, payload):
    ticks.append([from_actor, message_type, payload.decode()])


def _registry(ctx):
    host.registry_register(ctx, "calc/1", "actor://calc", {"zone": "eu"})
    host.registry_register("calc/2", "actor://calc2", ttl_ms=60_000)
    host.registry_heartbeat(ctx, "calc/2")
    host.registry_report_health("calc/2", "degraded")
    first, second = host.registry_lookup(ctx, "calc/1"), host.registry_lookup("calc/2")
    found = [
        [entry.name for entry in host.registry_discover(ctx, "calc/*")],
        [entry.name for entry in host.registry_discover("*", labels={"zone": "eu"})],
        host.registry_discover_page("calc/*", limit=1).cursor,
    ]
    gone = [host.registry_unregister(ctx, "calc/1"), host.registry_unregister("calc/1"), host.registry_lookup("calc/1")]
    refused = []
    for call in (lambda: host.registry_heartbeat("none"), lambda: host.registry_register("a", "b", [1])):
        try:
            call()
        except (NotFound, InvalidArgument, AlreadyExists) as error:
            refused.append(type(error).__name__)
    return [
        first.address,
        first.metadata,
        first.health,
        first.expires_ms,
        second.health,
        second.expires_ms == second.heartbeat_ms + 60_000,
        found,
        gone,
        refused,
    ]


def _durability(ctx):
    host.durability_persist(ctx, "event_1", b"a")
    host.durability_persist_batch(ctx, [("event_2", b"b"), ("event_3", "c")])
    host.durability_persist_batch({"event_4": b"d"})
    host.durability_delete_persisted("event_2")
    values = [host.durability_read_persisted(ctx, key) for key in host.durability_list_persisted("event_")]
    journal = host.durability_read_journal(ctx, 0, host.durability_get_sequence(ctx))
    return [
        [value.decode() for value in values],
        host.durability_read_persisted("event_2"),
        [[entry.sequence, entry.from_actor, entry.msg_type, entry.error] for entry in journal],
        journal[-1].reply.decode(),
    ]


def _timers():
    me = host.self_id()
    cancelled = host.send_after(me, "never", b"", 60_000)
    host.send_after(me, "later", b"x", delay_ms=5)
    host.set_reminder("r", "tick", "y", period_ms=20)
    host.set_reminder("once", "never", first_ms=60_000)
    names = [reminder.name for reminder in host.list_reminders()]
    return [host.cancel_timer(cancelled), host.cancel_reminder("once"), host.cancel_reminder("once"), names]
