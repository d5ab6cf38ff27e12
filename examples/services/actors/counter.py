"""A counter: request and reply (GenServer), casts, state that survives its node."""

import json

count = 0


def init(initial_state: bytes) -> None:
    global count
    count = json.loads(initial_state or b"0")


def handle_request(from_actor: str, message_type: str, payload: bytes) -> str:
    global count
    if message_type == "add":
        count += json.loads(payload)
    elif message_type != "get_count":
        raise ValueError(f"unknown request {message_type!r}: add or get_count")
    return json.dumps({"count": count})


def handle_event(from_actor: str, message_type: str, payload: bytes) -> None:
    global count
    if message_type == "increment":
        count += 1


def snapshot_state() -> str:
    return json.dumps(count)
