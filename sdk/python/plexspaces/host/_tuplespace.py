"""Linda's associative memory: tuples of 1 to 64 fields, found by patterns."""

from __future__ import annotations

from typing import Iterable, Optional

from .. import _wit
from ..values import (
    ContextLike,
    Field,
    PatternField,
    Plain,
    lift_tuple,
    lower_context,
    lower_pattern,
    lower_tuple,
    payload,
    text,
    unsigned,
)
from ._service import service

Tuple = tuple[Plain, ...]


@service
def tuplespace_write(ctx: Optional[ContextLike], fields: Iterable[Field], ttl_ms: Optional[int] = None) -> None:
    """Adds a tuple of 1 to 64 fields. Equal tuples may be there many times. With `ttl_ms` it is gone after that time."""
    if ttl_ms is None:
        _wit.call("tuplespace", "write", lower_context(ctx), lower_tuple(fields))
    else:
        ttl = unsigned(ttl_ms, 64, "ttl_ms")
        _wit.call("tuplespace", "write_with_ttl", lower_context(ctx), lower_tuple(fields), ttl)


@service
def tuplespace_read(
    ctx: Optional[ContextLike], pattern: Iterable[PatternField], timeout_ms: int = 0
) -> Optional[Tuple]:
    """One matching tuple, or None. With `timeout_ms` it waits so long for one: what the turn did before is committed."""
    return _one("read", ctx, pattern, timeout_ms)


@service
def tuplespace_take(
    ctx: Optional[ContextLike], pattern: Iterable[PatternField], timeout_ms: int = 0
) -> Optional[Tuple]:
    """Removes one matching tuple and returns it, or None. If the turn fails, it is there again. With `timeout_ms` it
    waits so long for one: what the turn did before is committed."""
    return _one("take", ctx, pattern, timeout_ms)


@service
def tuplespace_read_all(ctx: Optional[ContextLike], pattern: Iterable[PatternField]) -> list[Tuple]:
    """All matching tuples, in the order of their fields."""
    return [lift_tuple(found) for found in _wit.call("tuplespace", "read_all", lower_context(ctx), lower_pattern(pattern))]


@service
def tuplespace_count(ctx: Optional[ContextLike], pattern: Iterable[PatternField]) -> int:
    """How many tuples match."""
    return _wit.call("tuplespace", "count", lower_context(ctx), lower_pattern(pattern))


@service
def tuplespace_subscribe(ctx: Optional[ContextLike], pattern: Iterable[PatternField]) -> str:
    """Tells this actor of every tuple that is written and matches, as an info (`handle_event`) of the type `$tuple:ID`,
    whose payload `tuplespace_received` reads; gives the id."""
    return _wit.call("tuplespace", "subscribe", lower_context(ctx), lower_pattern(pattern))


@service
def tuplespace_unsubscribe(ctx: Optional[ContextLike], id: str) -> None:
    """Ends the subscription with this id, if this actor has it."""
    _wit.call("tuplespace", "unsubscribe", lower_context(ctx), text(id, "id"))


def tuplespace_received(message: bytes) -> Tuple:
    """The fields in the payload of a `$tuple` message."""
    return lift_tuple(_wit.call("tuplespace", "received", payload(message, "message")))


def _one(
    function: str, ctx: Optional[ContextLike], pattern: Iterable[PatternField], timeout_ms: int
) -> Optional[Tuple]:
    arguments = [lower_context(ctx), lower_pattern(pattern)]
    timeout = unsigned(timeout_ms, 64, "timeout_ms")
    if timeout:
        function += "_blocking"
        arguments.append(timeout)
    found = _wit.call("tuplespace", function, *arguments)
    return None if found is None else lift_tuple(found)
