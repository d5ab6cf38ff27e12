"""Messages between the actors of one tenant and namespace."""

from __future__ import annotations

from typing import NamedTuple, Optional

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


class Reminder(NamedTuple):
    """A reminder that is set."""

    name: str
    msg_type: str
    due_ms: int
    """When it is due next, in milliseconds since the Unix epoch."""
    period_ms: int
    """0 = once."""


def send_after(to: str, msg_type: str, payload: Payload = b"", delay_ms: int = 0) -> int:
    """Sends a message `delay_ms` milliseconds after this turn commits, once and never early, also if the node was down in
    between. Returns the timer's number. The receiver's `handle_event` (or `handle_message`) gets it as any other send."""
    return _wit.call(
        "messaging",
        "send_after",
        text(to, "to"),
        text(msg_type, "msg_type"),
        payload_bytes(payload, "payload"),
        unsigned(delay_ms, 64, "delay_ms"),
    )


def cancel_timer(id: int) -> bool:
    """Cancels a timer of this actor, and says whether it was still to fire."""
    return _wit.call("messaging", "cancel_timer", unsigned(id, 64, "id"))


def set_reminder(
    name: str, msg_type: str, payload: Payload = b"", first_ms: Optional[int] = None, period_ms: int = 0
) -> None:
    """Has this actor sent a message from `$timer` after `first_ms` milliseconds (by default the period), and then every
    `period_ms` (at least 10; 0 = once) until it is cancelled. It survives restarts. What is set under this name is replaced.
    """
    _wit.call(
        "messaging",
        "set_reminder",
        text(name, "name"),
        text(msg_type, "msg_type"),
        payload_bytes(payload, "payload"),
        unsigned(period_ms if first_ms is None else first_ms, 64, "first_ms"),
        unsigned(period_ms, 64, "period_ms"),
    )


def cancel_reminder(name: str) -> bool:
    """Cancels a reminder of this actor, and says whether there was one."""
    return _wit.call("messaging", "cancel_reminder", text(name, "name"))


def list_reminders() -> list[Reminder]:
    """All reminders of this actor, by name."""
    reminders: list[Reminder] = []
    cursor: Optional[str] = None
    while True:
        page = _wit.call("messaging", "list_reminders", cursor, 1000)
        reminders.extend(Reminder(each.name, each.msg_type, each.due_ms, each.period) for each in page.reminders)
        cursor = page.cursor
        if cursor is None:
            return reminders
