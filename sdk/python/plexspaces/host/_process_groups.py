"""Process groups: actors that are reached together.

A message comes as an info (`handle_event`): the first line of its type is `$group:NAME`, the second one the topic, the
third one the publisher's message type; empty lines at the end are left out. `from_actor` is the publisher.
"""

from __future__ import annotations

from typing import Iterable, NamedTuple, Optional

from .. import _wit
from ..values import ContextLike, lower_context, text, unsigned
from ..values import payload as payload_bytes
from ._service import Payload, service


class MemberPage(NamedTuple):
    """Some members, in order, and where the next page begins: None after the last one."""

    members: list[str]
    cursor: Optional[str]


@service
def process_groups_create_group(ctx: Optional[ContextLike], group: str) -> None:
    """Makes a group without members. Raises `AlreadyExists` if it is there."""
    _wit.call("process_groups", "create_group", lower_context(ctx), text(group, "group"))


@service
def process_groups_join_group(ctx: Optional[ContextLike], group: str, topics: Iterable[str] = ()) -> None:
    """Makes this actor a member that gets what is published without a topic or under one of `topics`; without topics,
    everything. Joining again adds the topics."""
    names = [text(topic, "a topic") for topic in topics]
    _wit.call("process_groups", "join_group", lower_context(ctx), text(group, "group"), names)


@service
def process_groups_leave_group(ctx: Optional[ContextLike], group: str) -> None:
    """Ends the membership, if there is one. What was published before still comes."""
    _wit.call("process_groups", "leave_group", lower_context(ctx), text(group, "group"))


@service
def process_groups_get_members(ctx: Optional[ContextLike], group: str, topic: Optional[str] = None) -> list[str]:
    """All members, or those that a message under `topic` reaches, in order. For many of them see
    `process_groups_members_page`."""
    members: list[str] = []
    page = _page(ctx, group, topic, None, 1000)
    members.extend(page.members)
    while page.cursor is not None:
        page = _page(ctx, group, topic, page.cursor, 1000)
        members.extend(page.members)
    return members


@service
def process_groups_members_page(
    ctx: Optional[ContextLike],
    group: str,
    topic: Optional[str] = None,
    cursor: Optional[str] = None,
    limit: int = 1000,
) -> MemberPage:
    """Up to `limit` (1 to 1,000) members after `cursor`."""
    return _page(ctx, group, topic, cursor, limit)


@service
def process_groups_publish_to_group(
    ctx: Optional[ContextLike],
    group: str,
    payload: Payload = b"",
    topic: Optional[str] = None,
    msg_type: str = "",
) -> None:
    """Publishes to all members, or to those that a topic reaches; also if they leave later."""
    _wit.call(
        "process_groups",
        "publish_to_group",
        lower_context(ctx),
        text(group, "group"),
        None if topic is None else text(topic, "topic"),
        text(msg_type, "msg_type"),
        payload_bytes(payload, "payload"),
    )


def _page(
    ctx: Optional[ContextLike], group: str, topic: Optional[str], cursor: Optional[str], limit: int
) -> MemberPage:
    page = _wit.call(
        "process_groups",
        "get_members",
        lower_context(ctx),
        text(group, "group"),
        None if topic is None else text(topic, "topic"),
        None if cursor is None else text(cursor, "cursor"),
        unsigned(limit, 32, "limit"),
    )
    return MemberPage(page.members, page.cursor)
