"""Locks: one holder at a time, for as long as its lease lasts."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from .. import _wit
from ..values import ContextLike, lower_context, text, unsigned
from ._service import service


class Lease(NamedTuple):
    """A held lock, always true. `token` is greater than that of every holding before; `until_ms` is when it ends."""

    token: int
    until_ms: int


class LockHolder(NamedTuple):
    """Who holds a lock."""

    holder: str
    lease: Lease


@service
def locks_acquire(
    ctx: Optional[ContextLike], lock_id: str, timeout_ms: int = 0, duration_ms: Optional[int] = None
) -> Optional[Lease]:
    """Gets the lock, or None. With `timeout_ms` it waits so long for it: what the turn did before is committed. The lease
    lasts `duration_ms`, 30,000 if None; a holder renews it."""
    arguments = [lower_context(ctx), text(lock_id, "lock_id"), unsigned(timeout_ms, 64, "timeout_ms")]
    return _lease(_wit.call("locks", "acquire", *arguments, _optional(duration_ms, "duration_ms")))


@service
def locks_try_acquire(
    ctx: Optional[ContextLike], lock_id: str, duration_ms: Optional[int] = None
) -> Optional[Lease]:
    """As `locks_acquire`, without waiting."""
    arguments = [lower_context(ctx), text(lock_id, "lock_id"), _optional(duration_ms, "duration_ms")]
    return _lease(_wit.call("locks", "try_acquire", *arguments))


@service
def locks_release(ctx: Optional[ContextLike], lock_id: str, token: Optional[int] = None) -> None:
    """Gives the lock back. `FailedPrecondition` if this actor does not hold it any more, or with another token."""
    _wit.call("locks", "release", lower_context(ctx), text(lock_id, "lock_id"), _optional(token, "token"))


@service
def locks_renew(
    ctx: Optional[ContextLike], lock_id: str, duration_ms: int = 30_000, token: Optional[int] = None
) -> Lease:
    """Lets the lease end `duration_ms` from now. `FailedPrecondition` as for `locks_release`."""
    arguments = [lower_context(ctx), text(lock_id, "lock_id"), unsigned(duration_ms, 64, "duration_ms")]
    lease = _wit.call("locks", "renew", *arguments, _optional(token, "token"))
    return Lease(lease.token, lease.until_ms)


@service
def locks_get_lock(ctx: Optional[ContextLike], lock_id: str) -> Optional[LockHolder]:
    """Who holds the lock, or None."""
    found = _wit.call("locks", "get_lock", lower_context(ctx), text(lock_id, "lock_id"))
    return None if found is None else LockHolder(found.holder, Lease(found.lease.token, found.lease.until_ms))


def _lease(lease: Any) -> Optional[Lease]:
    return None if lease is None else Lease(lease.token, lease.until_ms)


def _optional(value: Optional[int], name: str) -> Optional[int]:
    return None if value is None else unsigned(value, 64, name)
