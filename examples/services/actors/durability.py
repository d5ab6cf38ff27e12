"""What a durable actor sees of its own durability: sequence, checkpoints, persisted events, its journal."""

import json

from plexspaces import host

count = 0


def init(initial_state: bytes) -> None:
    global count
    count = json.loads(initial_state or b"0")


def handle_request(from_actor: str, message_type: str, payload: bytes) -> str:
    request = json.loads(payload or b"{}")
    return json.dumps(ACTIONS[message_type](request))


def increment(request: dict) -> dict:
    """Keeps each event under its sequence."""
    global count
    count += request.get("by", 1)
    sequence = host.durability_get_sequence()
    host.durability_persist(f"event/{sequence}", json.dumps({"count": count}))
    return {"count": count, "sequence": sequence}


def persist_batch(request: dict) -> dict:
    host.durability_persist_batch({key: json.dumps(value) for key, value in request["entries"].items()})
    return {"persisted": len(request["entries"])}


def read_persisted(request: dict) -> dict:
    value = host.durability_read_persisted(request["key"])
    return {"value": None if value is None else json.loads(value)}


def checkpoint(request: dict) -> dict:
    host.durability_checkpoint()
    return {"checkpoint": host.durability_get_sequence()}


def get_sequence(request: dict) -> dict:
    return {"sequence": host.durability_get_sequence()}


def read_journal(request: dict) -> dict:
    entries = host.durability_read_journal(request.get("from", 0), request.get("to", host.durability_get_sequence()))
    return {"turns": [[entry.sequence, entry.msg_type] for entry in entries]}


def snapshot_state() -> str:
    return json.dumps(count)


ACTIONS = {
    "increment": increment,
    "persist_batch": persist_batch,
    "read_persisted": read_persisted,
    "checkpoint": checkpoint,
    "get_sequence": get_sequence,
    "read_journal": read_journal,
}
