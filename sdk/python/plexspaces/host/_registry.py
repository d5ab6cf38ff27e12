"""Services by name: where they are, what they say of themselves, how they are."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional

from .. import _wit
from ..values import BadValue, ContextLike, lower_context, text, unsigned
from ._service import service

_HEALTH = ("healthy", "degraded", "unhealthy")


class RegistryEntry(NamedTuple):
    """A service. Times are milliseconds since the Unix epoch."""

    name: str
    address: str
    metadata: dict[str, str]
    owner: str
    """The actor that registered it."""
    health: str
    """'healthy', 'degraded' or 'unhealthy', as its owner last reported."""
    registered_ms: int
    heartbeat_ms: int
    expires_ms: Optional[int]
    """When it is gone without another heartbeat; None = it stays."""


class RegistryPage(NamedTuple):
    """Some entries, by name, and where the next page begins: None after the last one."""

    entries: list[RegistryEntry]
    cursor: Optional[str]


@service
def registry_register(
    ctx: Optional[ContextLike],
    name: str,
    address: str,
    metadata: Optional[Mapping[str, str]] = None,
    ttl_ms: Optional[int] = None,
) -> None:
    """Registers a service for this actor. With `ttl_ms` its entry is gone so long after its last heartbeat.

    Raises `AlreadyExists` if another actor has the name.
    """
    arguments = [lower_context(ctx), text(name, "name"), text(address, "address"), _pairs(metadata, "metadata")]
    if ttl_ms is None:
        _wit.call("registry", "register", *arguments)
    else:
        _wit.call("registry", "register_with_ttl", *arguments, unsigned(ttl_ms, 64, "ttl_ms"))


@service
def registry_lookup(ctx: Optional[ContextLike], name: str) -> Optional[RegistryEntry]:
    """The entry of a name, or None."""
    found = _wit.call("registry", "lookup", lower_context(ctx), text(name, "name"))
    return None if found is None else _lift(found)


@service
def registry_unregister(ctx: Optional[ContextLike], name: str) -> bool:
    """Takes an entry away, whoever has registered it, and says whether there was one."""
    return _wit.call("registry", "unregister", lower_context(ctx), text(name, "name"))


@service
def registry_discover(
    ctx: Optional[ContextLike], pattern: str = "*", labels: Optional[Mapping[str, str]] = None
) -> list[RegistryEntry]:
    """All entries whose name matches `pattern`, in which `*` stands for any text, and whose metadata have all of
    `labels`. For many of them see `registry_discover_page`."""
    page = _page(ctx, pattern, labels, None, 1000)
    entries = page.entries
    while page.cursor is not None:
        page = _page(ctx, pattern, labels, page.cursor, 1000)
        entries.extend(page.entries)
    return entries


@service
def registry_discover_page(
    ctx: Optional[ContextLike],
    pattern: str = "*",
    labels: Optional[Mapping[str, str]] = None,
    cursor: Optional[str] = None,
    limit: int = 1000,
) -> RegistryPage:
    """Up to `limit` (1 to 1,000) entries after `cursor`. A page may have fewer and a cursor all the same."""
    return _page(ctx, pattern, labels, cursor, limit)


@service
def registry_heartbeat(ctx: Optional[ContextLike], name: str) -> None:
    """Says that the service is there: its time to live begins anew. Raises `NotFound` if its entry is gone."""
    _wit.call("registry", "heartbeat", lower_context(ctx), text(name, "name"))


@service
def registry_report_health(ctx: Optional[ContextLike], name: str, health: str) -> None:
    """Reports how the service is ('healthy', 'degraded' or 'unhealthy'), which is a heartbeat too."""
    if health not in _HEALTH:
        raise BadValue(f"the health is {health!r}; it is one of {', '.join(_HEALTH)}")
    value = _wit.module("registry").Health[health.upper()]
    _wit.call("registry", "report_health", lower_context(ctx), text(name, "name"), value)


def _page(
    ctx: Optional[ContextLike],
    pattern: str,
    labels: Optional[Mapping[str, str]],
    cursor: Optional[str],
    limit: int,
) -> RegistryPage:
    page = _wit.call(
        "registry",
        "discover",
        lower_context(ctx),
        text(pattern, "pattern"),
        _pairs(labels, "labels"),
        None if cursor is None else text(cursor, "cursor"),
        unsigned(limit, 32, "limit"),
    )
    return RegistryPage([_lift(entry) for entry in page.entries], page.cursor)


def _pairs(pairs: Optional[Mapping[str, str]], what: str) -> list[tuple[str, str]]:
    if pairs is None:
        return []
    if not isinstance(pairs, Mapping):
        raise BadValue(f"the {what} are of type {type(pairs).__name__}, not a dict of str to str")
    return [(text(name, f"a name of the {what}"), text(value, f"{what}[{name!r}]")) for name, value in pairs.items()]


def _lift(entry: Any) -> RegistryEntry:
    return RegistryEntry(
        entry.name,
        entry.address,
        dict(entry.metadata),
        entry.owner,
        entry.health.name.lower(),
        entry.registered_ms,
        entry.heartbeat_ms,
        entry.expires_ms,
    )
