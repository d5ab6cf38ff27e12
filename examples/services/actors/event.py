"""An event log (GenEvent): it takes notifications and answers nobody; whoever asks reads the log."""

import json

events: list = []


def init(initial_state: bytes) -> None:
    global events
    events = json.loads(initial_state or b"[]")


def handle_event(from_actor: str, message_type: str, payload: bytes) -> None:
    if message_type == "notify":
        events.append({"from": from_actor, "event": payload.decode()})
    elif message_type == "clear":
        events.clear()


def handle_request(from_actor: str, message_type: str, payload: bytes) -> str:
    if message_type != "get_events":
        raise ValueError(f"unknown request {message_type!r}: get_events")
    return json.dumps({"events": events})


def snapshot_state() -> str:
    return json.dumps(events)
