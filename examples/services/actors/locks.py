"""Locks with fencing tokens, and a leader that is elected with one."""

import json

from plexspaces import host


def handle_request(from_actor: str, message_type: str, payload: bytes) -> str:
    request = json.loads(payload or b"{}")
    return json.dumps(ACTIONS[message_type](request))


def acquire(request: dict) -> dict:
    """Waits in line for the lock."""
    return told(host.locks_acquire(request["lock"], timeout_ms=request.get("timeout_ms", 5000)))


def try_acquire(request: dict) -> dict:
    return told(host.locks_try_acquire(request["lock"]))


def release(request: dict) -> dict:
    host.locks_release(request["lock"])
    return {"released": request["lock"]}


def lead(request: dict) -> dict:
    """Whoever has the lock leads, until it stops or its lease ends. What it writes carries the token, so that a leader
    that was replaced without noticing is refused."""
    lease = host.locks_try_acquire("leader")
    if not lease:
        return {"leader": False}
    newest = int(host.keyvalue_get("leader/token") or b"0")
    if lease.token < newest:
        return {"leader": False}
    host.keyvalue_put("leader/token", str(lease.token))
    host.keyvalue_put("leader", host.self_id())
    return {"leader": True, "token": lease.token}


def stop(request: dict) -> dict:
    """An orderly stop gives all locks back at once."""
    host.stop_actor(host.self_id(), "asked to")
    return {"stopping": True}


def told(lease) -> dict:
    return {"acquired": bool(lease), "token": lease.token if lease else None}


ACTIONS = {"acquire": acquire, "try_acquire": try_acquire, "release": release, "lead": lead, "stop": stop}
