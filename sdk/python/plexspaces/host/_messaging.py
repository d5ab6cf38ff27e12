"""Messages between the actors of one tenant and namespace."""

from __future__ import annotations

from typing import Optional

from .. import _wit
from ..values import payload as payload_bytes
from ..values import text, unsigned
from ._service import Payload


def send_message(to: str, msg_type: str, payload: Payload = b"") -> None:
    """Sends a message: exactly once, in order per sender and receiver."""
    _wit.call("messaging", "send_message", text(to, "to"), text(msg_type, "msg_type"), payload_bytes(payload, "payload"))


def ask_message(to: str, msg_type: str, payload: Payload = b"", timeout_ms: int = 5000) -> bytes:
    """Asks and waits for the reply. What the turn did before it is committed first.

    Raises the callee's error as it is, or `Timeout`, `NotFound`, `FailedPrecondition` (asking oneself).
    """
    return _wit.call(
        "messaging",
        "ask_message",
        text(to, "to"),
        text(msg_type, "msg_type"),
        payload_bytes(payload, "payload"),
        unsigned(timeout_ms, 64, "timeout_ms"),
    )


def spawn_actor(behavior: str, key: Optional[str] = None, args: Payload = b"") -> str:
    """Makes an actor of the deployed type `behavior` and returns its id. Without a key it gets a unique one."""
    options = _wit.module("messaging").SpawnOptions(None if key is None else text(key, "key"), payload_bytes(args, "args"))
    return _wit.call("messaging", "spawn_actor", text(behavior, "behavior"), options)


def self_id() -> str:
    """This actor's own id."""
    return _wit.call("messaging", "self_id")


def stop_actor(id: str, reason: str = "") -> None:
    """Stops an actor in an orderly way. Its state stays; the next message activates it again."""
    _wit.call("messaging", "stop_actor", text(id, "id"), text(reason, "reason"))
