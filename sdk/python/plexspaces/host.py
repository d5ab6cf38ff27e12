"""The node's services: `host.<interface>_<function>`, messages and logging without a prefix.

A failure raises a subclass of `plexspaces.Error`. Functions that touch stored data take a context as first
argument, and without one work on the actor's own tenant and namespace. What a turn writes and sends takes effect
when the turn succeeds, all of it or nothing.
"""

from __future__ import annotations

import functools
from typing import Callable, Concatenate, Iterable, Mapping, Optional, ParamSpec, Protocol, TypeVar, Union, overload

from . import _wit
from .values import (
    Context,
    ContextLike,
    Field,
    PatternField,
    Plain,
    lift_tuple,
    lower_context,
    lower_pattern,
    lower_tuple,
    payload as _payload,
    text as _text,
    unsigned as _unsigned,
)

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
Payload = Union[bytes, bytearray, memoryview, str]
Tuple = tuple[Plain, ...]


class _Service(Protocol[P, R]):
    """A function that takes a context first, if one is given."""

    @overload
    def __call__(self, ctx: ContextLike, /, *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...


def _service(function: Callable[Concatenate[Optional[ContextLike], P], R]) -> _Service[P, R]:
    @functools.wraps(function)
    def with_context(*args: object, ctx: Optional[ContextLike] = None, **kwargs: object) -> R:
        # No argument proper is ever a dict or a Context, so the first one tells.
        if ctx is None and args and isinstance(args[0], (Context, Mapping)):
            return function(*args, **kwargs)  # type: ignore[arg-type]
        return function(ctx, *args, **kwargs)  # type: ignore[arg-type]

    return with_context  # type: ignore[return-value]


# Messages.


def send_message(to: str, msg_type: str, payload: Payload = b"") -> None:
    """Sends a message: exactly once, in order per sender and receiver."""
    _wit.call("messaging", "send_message", _text(to, "to"), _text(msg_type, "msg_type"), _payload(payload, "payload"))


def ask_message(to: str, msg_type: str, payload: Payload = b"", timeout_ms: int = 5000) -> bytes:
    """Asks and waits for the reply. What the turn did before it is committed first.

    Raises the callee's error as it is, or `Timeout`, `NotFound`, `FailedPrecondition` (asking oneself).
    """
    return _wit.call(
        "messaging",
        "ask_message",
        _text(to, "to"),
        _text(msg_type, "msg_type"),
        _payload(payload, "payload"),
        _unsigned(timeout_ms, 64, "timeout_ms"),
    )


def spawn_actor(behavior: str, key: Optional[str] = None, args: Payload = b"") -> str:
    """Makes an actor of the deployed type `behavior` and returns its id. Without a key it gets a unique one."""
    options = _wit.module("messaging").SpawnOptions(None if key is None else _text(key, "key"), _payload(args, "args"))
    return _wit.call("messaging", "spawn_actor", _text(behavior, "behavior"), options)


def self_id() -> str:
    """This actor's own id."""
    return _wit.call("messaging", "self_id")


def stop_actor(id: str, reason: str = "") -> None:
    """Stops an actor in an orderly way. Its state stays; the next message activates it again."""
    _wit.call("messaging", "stop_actor", _text(id, "id"), _text(reason, "reason"))


# The tuple space.


@_service
def tuplespace_write(ctx: Optional[ContextLike], fields: Iterable[Field]) -> None:
    """Adds a tuple of 1 to 64 fields. Equal tuples may be there many times."""
    _wit.call("tuplespace", "write", lower_context(ctx), lower_tuple(fields))


@_service
def tuplespace_read(ctx: Optional[ContextLike], pattern: Iterable[PatternField]) -> Optional[Tuple]:
    """One matching tuple, or None."""
    found = _wit.call("tuplespace", "read", lower_context(ctx), lower_pattern(pattern))
    return None if found is None else lift_tuple(found)


@_service
def tuplespace_take(ctx: Optional[ContextLike], pattern: Iterable[PatternField]) -> Optional[Tuple]:
    """Removes one matching tuple and returns it, or None. If the turn fails, it is there again."""
    found = _wit.call("tuplespace", "take", lower_context(ctx), lower_pattern(pattern))
    return None if found is None else lift_tuple(found)


@_service
def tuplespace_read_all(ctx: Optional[ContextLike], pattern: Iterable[PatternField]) -> list[Tuple]:
    """All matching tuples, in the order of their fields."""
    return [lift_tuple(found) for found in _wit.call("tuplespace", "read_all", lower_context(ctx), lower_pattern(pattern))]


@_service
def tuplespace_count(ctx: Optional[ContextLike], pattern: Iterable[PatternField]) -> int:
    """How many tuples match."""
    return _wit.call("tuplespace", "count", lower_context(ctx), lower_pattern(pattern))


# Durability.


@_service
def durability_checkpoint(ctx: Optional[ContextLike]) -> None:
    """Asks for a checkpoint at the end of this turn."""
    _wit.call("durability", "checkpoint", lower_context(ctx))


@_service
def durability_get_sequence(ctx: Optional[ContextLike]) -> int:
    """The sequence number of this turn. Creation is 0."""
    return _wit.call("durability", "get_sequence", lower_context(ctx))


@_service
def durability_is_replaying(ctx: Optional[ContextLike]) -> bool:
    """Whether the journal answers the host calls now. For logging only: never guard an effect with it."""
    return _wit.call("durability", "is_replaying", lower_context(ctx))


# Time and randomness.


def system_now() -> int:
    """Milliseconds since the Unix epoch; the same when the turn is replayed."""
    return _wit.call("system", "now")


def system_monotonic() -> int:
    """Nanoseconds that never go back within the actor's life."""
    return _wit.call("system", "monotonic")


def system_random_bytes(length: int) -> bytes:
    """At most 65,536 bytes; the same when the turn is replayed. Not for keys and secrets."""
    return _wit.call("system", "random_bytes", _unsigned(length, 32, "length"))


# The log.


def log(level: str, message: object, **fields: object) -> None:
    """Writes a line to the node's log. `level` is trace, debug, info, warn or error."""
    logging = _wit.module("logging")
    name = "WARN" if str(level).lower() == "warning" else str(level).upper()
    if name not in logging.Level.__members__:
        raise ValueError(f"{level!r} is no log level; levels are trace, debug, info, warn and error")
    pairs = [(field, _loose(value)) for field, value in fields.items()]
    _wit.call("logging", "log", logging.Level[name], _loose(message), pairs)


def log_trace(message: object, **fields: object) -> None:
    """Logs at level trace."""
    log("trace", message, **fields)


def log_debug(message: object, **fields: object) -> None:
    """Logs at level debug."""
    log("debug", message, **fields)


def log_info(message: object, **fields: object) -> None:
    """Logs at level info."""
    log("info", message, **fields)


def log_warn(message: object, **fields: object) -> None:
    """Logs at level warn."""
    log("warn", message, **fields)


def log_error(message: object, **fields: object) -> None:
    """Logs at level error."""
    log("error", message, **fields)


def _loose(value: object) -> str:
    # A log line must not fail for a character that has no UTF-8 form.
    return str(value).encode("utf-8", "replace").decode()
