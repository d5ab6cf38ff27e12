"""Queues: each message goes to one receiver."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .. import _wit
from ..values import ContextLike, lower_context, payload, text, unsigned
from ._service import Payload, service


class LeasedMessage(NamedTuple):
    """A message that nobody else receives while its lease lasts. `handle` is for ack, nack and extend_lease."""

    handle: str
    payload: bytes
    deliveries: int
    sent_ms: int
    lease_until_ms: int


@service
def channels_create_queue(
    ctx: Optional[ContextLike],
    queue: str,
    *,
    max_length: Optional[int] = None,
    max_deliveries: Optional[int] = None,
    dead_letter_queue: Optional[str] = None,
    ttl_ms: Optional[int] = None,
    lease_ms: Optional[int] = None,
) -> None:
    """Makes sure that a queue is there. With options it is to be like that; `AlreadyExists` if it was made with others.

    `max_length` messages at most (1,000,000), a dead letter after `max_deliveries` leases (never), which goes to
    `dead_letter_queue` (`NAME/dead`); dropped after `ttl_ms` (never); a lease lasts `lease_ms` (30,000).
    """
    options = (max_length, max_deliveries, dead_letter_queue, ttl_ms, lease_ms)
    if all(option is None for option in options):
        _wit.call("channels", "create_queue", lower_context(ctx), text(queue, "queue"))
        return
    lowered = _wit.module("channels").QueueOptions(
        _optional(max_length, 64, "max_length"),
        _optional(max_deliveries, 32, "max_deliveries"),
        None if dead_letter_queue is None else text(dead_letter_queue, "dead_letter_queue"),
        _optional(ttl_ms, 64, "ttl_ms"),
        _optional(lease_ms, 64, "lease_ms"),
    )
    _wit.call("channels", "create_queue_with", lower_context(ctx), text(queue, "queue"), lowered)


@service
def channels_delete_queue(ctx: Optional[ContextLike], queue: str, with_messages: bool = False) -> None:
    """Deletes a queue. One that has messages raises `FailedPrecondition`, unless `with_messages`."""
    _wit.call("channels", "delete_queue", lower_context(ctx), text(queue, "queue"), bool(with_messages))


@service
def channels_send_to_queue(
    ctx: Optional[ContextLike],
    queue: str,
    message: Payload,
    *,
    delay_ms: int = 0,
    ttl_ms: Optional[int] = None,
) -> None:
    """Adds a message. Nobody receives it for `delay_ms`, and after `ttl_ms` it is dropped. A full queue raises
    `ResourceExhausted`."""
    arguments = [lower_context(ctx), text(queue, "queue"), payload(message, "message")]
    if delay_ms == 0 and ttl_ms is None:
        _wit.call("channels", "send_to_queue", *arguments)
        return
    options = _wit.module("channels").SendOptions(
        unsigned(delay_ms, 64, "delay_ms"), _optional(ttl_ms, 64, "ttl_ms")
    )
    _wit.call("channels", "send_to_queue_with", *arguments, options)


@service
def channels_receive_from_queue(ctx: Optional[ContextLike], queue: str, timeout_ms: int = 0) -> Optional[bytes]:
    """Takes the next message away, or None. If the turn fails, it is there again. With `timeout_ms` it waits so long for
    one: what the turn did before is committed."""
    timeout = unsigned(timeout_ms, 64, "timeout_ms")
    return _wit.call("channels", "receive_from_queue", lower_context(ctx), text(queue, "queue"), timeout)


@service
def channels_receive_leased(
    ctx: Optional[ContextLike], queue: str, lease_ms: Optional[int] = None, timeout_ms: int = 0
) -> Optional[LeasedMessage]:
    """As `channels_receive_from_queue`, but the message stays in the queue, hidden for `lease_ms` (None: as the queue
    says), until it is acknowledged. When the lease ends it is received again, or it is a dead letter."""
    found = _wit.call(
        "channels",
        "receive_leased",
        lower_context(ctx),
        text(queue, "queue"),
        _optional(lease_ms, 64, "lease_ms"),
        unsigned(timeout_ms, 64, "timeout_ms"),
    )
    if found is None:
        return None
    return LeasedMessage(found.handle, found.payload, found.deliveries, found.sent_ms, found.lease_until_ms)


@service
def channels_ack(ctx: Optional[ContextLike], handle: str) -> None:
    """Removes a leased message: its work is done. `FailedPrecondition` if the lease has ended."""
    _wit.call("channels", "ack", lower_context(ctx), text(handle, "handle"))


@service
def channels_nack(ctx: Optional[ContextLike], handle: str, delay_ms: int = 0) -> None:
    """Gives a leased message back, to be received again after `delay_ms`. `FailedPrecondition` if the lease has ended."""
    _wit.call("channels", "nack", lower_context(ctx), text(handle, "handle"), unsigned(delay_ms, 64, "delay_ms"))


@service
def channels_extend_lease(ctx: Optional[ContextLike], handle: str, lease_ms: int) -> None:
    """Lets a lease end `lease_ms` from now. `FailedPrecondition` if it has ended."""
    _wit.call("channels", "extend_lease", lower_context(ctx), text(handle, "handle"), unsigned(lease_ms, 64, "lease_ms"))


@service
def channels_queue_depth(ctx: Optional[ContextLike], queue: str) -> int:
    """How many messages the queue has, delayed and leased ones included."""
    return _wit.call("channels", "queue_depth", lower_context(ctx), text(queue, "queue"))


def _optional(value: Optional[int], bits: int, name: str) -> Optional[int]:
    return None if value is None else unsigned(value, bits, name)
