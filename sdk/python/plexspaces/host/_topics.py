"""Topics: a message to whoever subscribes.

A message comes as an info (`handle_event`): the first line of its type is `$topic:NAME`, the second one the publisher's
message type, if it gave one. `from_actor` is the publisher.
"""

from __future__ import annotations

from typing import Mapping, Optional, Union

from .. import _wit
from ..values import ContextLike, Prefix, lower_attribute_test, lower_context, text
from ..values import payload as payload_bytes
from ._service import Payload, service


@service
def channels_publish_to_topic(
    ctx: Optional[ContextLike],
    topic: str,
    payload: Payload = b"",
    msg_type: str = "",
    attributes: Optional[Mapping[str, str]] = None,
) -> None:
    """Publishes to everyone who subscribes: each gets the message once, in the order of publication.

    `attributes` are there to be filtered by; they are not delivered.
    """
    pairs = [(text(name, "an attribute"), text(value, name)) for name, value in (attributes or {}).items()]
    _wit.call(
        "channels",
        "publish_to_topic",
        lower_context(ctx),
        text(topic, "topic"),
        text(msg_type, "msg_type"),
        payload_bytes(payload, "payload"),
        pairs,
    )


@service
def channels_subscribe_to_topic(
    ctx: Optional[ContextLike], topic: str, filter: Optional[Mapping[str, Union[str, Prefix, object]]] = None
) -> None:
    """Subscribes this actor to what is published from now on, also across restarts.

    `filter` has what attributes must be: a str, a `Prefix`, or `ANY`; a message comes if all of it holds.
    """
    channels = _wit.module("channels")
    conditions = [
        channels.Condition(text(name, "an attribute"), lower_attribute_test(wanted, name))
        for name, wanted in (filter or {}).items()
    ]
    _wit.call("channels", "subscribe_to_topic", lower_context(ctx), text(topic, "topic"), conditions)


@service
def channels_unsubscribe_from_topic(ctx: Optional[ContextLike], topic: str) -> None:
    """Ends the subscription, if there is one."""
    _wit.call("channels", "unsubscribe_from_topic", lower_context(ctx), text(topic, "topic"))
