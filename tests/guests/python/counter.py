"""A counter: the same as `tests/guests/rust/counter`, as far as the bench and the tests of both languages need it.

Payloads and replies are text. `add` takes a number and gives the count, `get` gives the count.
"""

_count = 0


def init(initial_state: bytes):
    global _count
    _count = int(initial_state or b"0")
    return None, None


def handle_request(from_actor: str, message_type: str, payload: bytes):
    global _count
    if message_type == "add":
        _count += int(payload)
    elif message_type != "get":
        return None, f"unknown message type {message_type!r}"
    return str(_count).encode(), None


def snapshot_state():
    return str(_count).encode(), None
