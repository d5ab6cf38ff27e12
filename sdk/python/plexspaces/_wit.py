"""The generated bindings, which are there only in a component, and whether they may be called."""

from __future__ import annotations

from typing import Any, Callable

try:
    from componentize_py_types import Err
    from wit_world.imports import (
        blob,
        channels,
        durability,
        keyvalue,
        locks,
        logging,
        messaging,
        process_groups,
        registry,
        system,
        tuplespace,
        types,
    )

    _modules: dict[str, Any] = {
        "blob": blob,
        "channels": channels,
        "durability": durability,
        "keyvalue": keyvalue,
        "locks": locks,
        "logging": logging,
        "messaging": messaging,
        "process_groups": process_groups,
        "registry": registry,
        "system": system,
        "tuplespace": tuplespace,
        "types": types,
    }
except ImportError:
    # A laptop: tests and editors import the package, and only a call needs a node.
    _modules = {}

    class Err(Exception):  # type: ignore[no-redef]
        """Stands in for the generated class; never raised here."""


running = False
"""Whether the node called in. While a component is built, the file is imported and no node is there."""


def module(name: str) -> Any:
    """The bindings of an interface."""
    if not _modules:
        raise RuntimeError(
            "plexspaces.host works only inside an actor on a node: build the file with `plexspaces build` and deploy it, "
            "or replace the function in your test"
        )
    return _modules[name]


def call(interface: str, function: str, *args: Any) -> Any:
    """Calls the host; its error value becomes an exception."""
    target: Callable[..., Any] = getattr(module(interface), function)
    if not running:
        raise RuntimeError(
            f"{interface}.{function} was called while the file is imported, which happens when the component is built: "
            "call the host from a handler or from init"
        )
    try:
        return target(*args)
    except Err as error:
        failure = error.value
    from .errors import of_code

    raise of_code(failure.code.name.lower().replace("_", "-"), failure.message, failure.details)
