"""What a durable actor sees and steers of its own durability."""

from __future__ import annotations

from typing import Optional

from .. import _wit
from ..values import ContextLike, lower_context
from ._service import service


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
