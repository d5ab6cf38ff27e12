"""Values by key, with an optional time to live."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .. import _wit
from ..values import ContextLike, lower_context, payload, signed, text, unsigned
from ._service import Payload, service


class KeyPage(NamedTuple):
    """Some keys, in order, and where the next page begins: None after the last one."""

    keys: list[str]
    cursor: Optional[str]


@service
def keyvalue_get(ctx: Optional[ContextLike], key: str) -> Optional[bytes]:
    """The value of a key, or None."""
    return _wit.call("keyvalue", "get", lower_context(ctx), text(key, "key"))


@service
def keyvalue_put(ctx: Optional[ContextLike], key: str, value: Payload) -> None:
    """Sets a value. It stays until it is deleted."""
    _wit.call("keyvalue", "put", lower_context(ctx), text(key, "key"), payload(value, "value"))


@service
def keyvalue_put_with_ttl(ctx: Optional[ContextLike], key: str, value: Payload, ttl_ms: int) -> None:
    """Sets a value that is gone `ttl_ms` milliseconds from now; at least 1."""
    _wit.call(
        "keyvalue",
        "put_with_ttl",
        lower_context(ctx),
        text(key, "key"),
        payload(value, "value"),
        unsigned(ttl_ms, 64, "ttl_ms"),
    )


@service
def keyvalue_delete(ctx: Optional[ContextLike], key: str) -> None:
    """Deletes a key. One that is not there stays so."""
    _wit.call("keyvalue", "delete", lower_context(ctx), text(key, "key"))


@service
def keyvalue_exists(ctx: Optional[ContextLike], key: str) -> bool:
    """Whether the key has a value."""
    return _wit.call("keyvalue", "exists", lower_context(ctx), text(key, "key"))


@service
def keyvalue_list_keys(ctx: Optional[ContextLike], prefix: str = "") -> list[str]:
    """All keys that start with `prefix`, in order. For many of them see `keyvalue_list_page`."""
    keys: list[str] = []
    page = _page(ctx, prefix, None, 1000)
    keys.extend(page.keys)
    while page.cursor is not None:
        page = _page(ctx, prefix, page.cursor, 1000)
        keys.extend(page.keys)
    return keys


@service
def keyvalue_list_page(
    ctx: Optional[ContextLike], prefix: str = "", cursor: Optional[str] = None, limit: int = 1000
) -> KeyPage:
    """Up to `limit` (1 to 1,000) keys that start with `prefix`, after `cursor`."""
    return _page(ctx, prefix, cursor, limit)


@service
def keyvalue_compare_and_swap(
    ctx: Optional[ContextLike], key: str, expected: Optional[Payload], new: Payload
) -> bool:
    """Sets `new` if the value is `expected` (None: if there is no value), and says whether it did."""
    return _wit.call(
        "keyvalue",
        "compare_and_swap",
        lower_context(ctx),
        text(key, "key"),
        None if expected is None else payload(expected, "expected"),
        payload(new, "new"),
    )


@service
def keyvalue_increment(ctx: Optional[ContextLike], key: str, delta: int = 1) -> int:
    """Adds to the number at `key`, 0 if it is not there, and gives the sum."""
    return _wit.call(
        "keyvalue", "increment", lower_context(ctx), text(key, "key"), signed(delta, 64, "delta")
    )


@service
def keyvalue_watch(ctx: Optional[ContextLike], prefix: str = "") -> None:
    """Tells this actor of every change of a key that starts with `prefix`, as an info (`handle_event`): the first line of
    its type is `$watch:put`, `$watch:delete` or `$watch:expire`, the rest is the key, the payload is the new value."""
    _wit.call("keyvalue", "watch", lower_context(ctx), text(prefix, "prefix"))


@service
def keyvalue_unwatch(ctx: Optional[ContextLike], prefix: str = "") -> None:
    """Ends the watch of exactly this prefix, if there is one."""
    _wit.call("keyvalue", "unwatch", lower_context(ctx), text(prefix, "prefix"))


def _page(ctx: Optional[ContextLike], prefix: str, cursor: Optional[str], limit: int) -> KeyPage:
    page = _wit.call(
        "keyvalue",
        "list_keys",
        lower_context(ctx),
        text(prefix, "prefix"),
        None if cursor is None else text(cursor, "cursor"),
        unsigned(limit, 32, "limit"),
    )
    return KeyPage(page.keys, page.cursor)
