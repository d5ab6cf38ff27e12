"""Lines in the node's log."""

from __future__ import annotations

from .. import _wit


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
