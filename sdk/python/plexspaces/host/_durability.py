"""What a durable actor sees and steers of its own durability."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple, Optional, Union, overload

from .. import _wit
from ..errors import Error, of_code
from ..values import ContextLike, lower_context, payload, text, unsigned
from ._service import Payload, service

Entries = Union[Mapping[str, Payload], Iterable[tuple[str, Payload]]]


class JournalEntry(NamedTuple):
    """A finished turn of this actor."""

    sequence: int
    at_ms: int
    """When it ended, in milliseconds since the Unix epoch."""
    from_actor: str
    msg_type: str
    payload: bytes
    reply: Optional[bytes]
    """None if the turn was given up."""
    error: Optional[Error]
    """Why the turn was given up after a wait."""


@service
def durability_checkpoint(ctx: Optional[ContextLike]) -> None:
    """Asks for a checkpoint at the end of this turn."""
    _wit.call("durability", "checkpoint", lower_context(ctx))


@service
def durability_get_sequence(ctx: Optional[ContextLike]) -> int:
    """The sequence number of this turn. Creation is 0."""
    return _wit.call("durability", "get_sequence", lower_context(ctx))


@service
def durability_is_replaying(ctx: Optional[ContextLike]) -> bool:
    """Whether the journal answers the host calls now. For logging only: never guard an effect with it."""
    return _wit.call("durability", "is_replaying", lower_context(ctx))


@service
def durability_persist(ctx: Optional[ContextLike], key: str, value: Payload) -> None:
    """Keeps a value under a key of this actor's own until it is deleted, beside the state of `snapshot_state`."""
    _wit.call("durability", "persist", lower_context(ctx), text(key, "key"), payload(value, "value"))


@overload
def durability_persist_batch(entries: Entries, /) -> None: ...


@overload
def durability_persist_batch(ctx: ContextLike, entries: Entries, /) -> None: ...


def durability_persist_batch(*args: Any) -> None:
    """Persists several values at once: a dict or pairs, after a context if one is given."""
    # The entries may be a dict, as a context may: here the number of arguments tells.
    *ctx, entries = args
    pairs = entries.items() if isinstance(entries, Mapping) else entries
    lowered = [(text(key, "key"), payload(value, "value")) for key, value in pairs]
    _wit.call("durability", "persist_batch", lower_context(*ctx or [None]), lowered)


@service
def durability_read_persisted(ctx: Optional[ContextLike], key: str) -> Optional[bytes]:
    """The value of a key that this actor has persisted, or None."""
    return _wit.call("durability", "read_persisted", lower_context(ctx), text(key, "key"))


@service
def durability_delete_persisted(ctx: Optional[ContextLike], key: str) -> None:
    """Deletes a persisted key. One that is not there stays so."""
    _wit.call("durability", "delete_persisted", lower_context(ctx), text(key, "key"))


@service
def durability_list_persisted(ctx: Optional[ContextLike], prefix: str = "") -> list[str]:
    """All persisted keys that start with `prefix`, in order."""
    keys: list[str] = []
    cursor: Optional[str] = None
    while True:
        page = _wit.call(
            "durability", "list_persisted", lower_context(ctx), text(prefix, "prefix"), cursor, 1000
        )
        keys.extend(page.keys)
        cursor = page.cursor
        if cursor is None:
            return keys


@service
def durability_read_journal(
    ctx: Optional[ContextLike], from_sequence: int = 0, to_sequence: Optional[int] = None
) -> list[JournalEntry]:
    """This actor's finished turns from one sequence number to another, both included, as far as they are kept."""
    last = (1 << 64) - 1 if to_sequence is None else unsigned(to_sequence, 64, "to_sequence")
    entries: list[JournalEntry] = []
    start: Optional[int] = unsigned(from_sequence, 64, "from_sequence")
    while start is not None:
        page = _wit.call("durability", "read_journal", lower_context(ctx), start, last, 1000)
        entries.extend(_lift(each) for each in page.entries)
        start = page.next
    return entries


def _lift(entry: Any) -> JournalEntry:
    reply: Optional[bytes] = None
    error: Optional[Error] = None
    if isinstance(entry.outcome, _wit.Err):
        failure = entry.outcome.value
        error = of_code(failure.code.name.lower().replace("_", "-"), failure.message, failure.details)
    else:
        reply = entry.outcome.value
    return JournalEntry(entry.sequence, entry.at_ms, entry.from_, entry.msg_type, entry.payload, reply, error)
