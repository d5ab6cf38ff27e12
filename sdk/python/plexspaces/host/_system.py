"""Time and randomness, the same when a turn is replayed."""

from __future__ import annotations

from .. import _wit
from ..values import unsigned


def system_now() -> int:
    """Milliseconds since the Unix epoch; the same when the turn is replayed."""
    return _wit.call("system", "now")


def system_monotonic() -> int:
    """Nanoseconds that never go back within the actor's life."""
    return _wit.call("system", "monotonic")


def system_random_bytes(length: int) -> bytes:
    """At most 65,536 bytes; the same when the turn is replayed. Not for keys and secrets."""
    return _wit.call("system", "random_bytes", unsigned(length, 32, "length"))
