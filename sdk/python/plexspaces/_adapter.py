"""Turns an author's functions into the component's exports. `plexspaces build` generates the calls.

Each class here has the name and the method that the bindings look for. A handler's exception never leaves as one: it
becomes an error value, because an uncaught exception would cost the instance.
"""

from __future__ import annotations

import importlib
import os
import random
from types import ModuleType, TracebackType
from typing import Any, Callable, Iterable, NoReturn, Optional

from . import _wit
from .errors import Error
from .values import BadValue, payload

_FRAMES_MAX = 20
_OWN_FOLDER = os.path.dirname(__file__)
_FOLDER = os.path.dirname(_OWN_FOLDER)
_ROOTS = (_FOLDER + "/", "/1/", "/python/")  # the author's files, installed packages, the standard library

# Given up when memory runs out, so that there is some to tell about it.
_ballast: Optional[bytearray] = bytearray(64 * 1024)

_sources: dict[str, list[str]] = {}


# What the standard library imports only when it is used.
_COMPANIONS = {"datetime": "_strptime", "time": "_strptime"}
_ENCODINGS = ("ascii", "cp1252", "latin_1", "punycode", "utf_8", "utf_8_sig", "utf_16", "utf_32")

_ASYNC = 0x80 | 0x200  # inspect's CO_COROUTINE and CO_ASYNC_GENERATOR, without the cost of importing it


def load(actor: str, functions: Iterable[str], lazy: Iterable[tuple[str, list[str]]], files: Iterable[str]) -> ModuleType:
    """Imports the author's module, and what its functions will import: at run time there are no files to import from.

    `functions` are those that become exports; `files` are the author's, whose lines tracebacks shall show.
    """
    module = importlib.import_module(actor)
    for name in functions:
        function = getattr(module, name)
        if not callable(function):
            raise TypeError(f"{name} is {_kind(function)}, not a function")
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & _ASYNC:
            raise TypeError(f"{name} is an async function; handlers are plain functions")
    for name, members in lazy:
        _preload(name, members)
        if name in _COMPANIONS:
            _preload(_COMPANIONS[name], [])
    _preload("encodings", _ENCODINGS)
    for name in files:
        with open(os.path.join(_FOLDER, name), encoding="utf-8", errors="replace") as file:
            _sources[name] = file.read().splitlines()
    return module


def _preload(name: str, members: Iterable[str]) -> None:
    try:
        module = importlib.import_module(name)
        for member in members:
            if hasattr(module, "__path__") and not hasattr(module, member):
                importlib.import_module(f"{name}.{member}")
    except ImportError:
        # Optional for the author perhaps. If not, the handler's own import says so.
        pass


def activation(actor: ModuleType) -> type:
    """`init`, flattened to one argument for both ways to start."""

    class Activation:
        def init(self, start: Any) -> None:
            _call(actor, "init", _nothing, start.value)

    return Activation


def gen_server(actor: ModuleType) -> type:
    """`handle_request`."""

    class GenServer:
        def handle_request(self, from_: str, msg_type: str, body: bytes) -> bytes:
            return _call(actor, "handle_request", _reply, from_, msg_type, body)

    return GenServer


def gen_event(actor: ModuleType) -> type:
    """`handle_event`."""

    class GenEvent:
        def handle_event(self, from_: str, msg_type: str, body: bytes) -> None:
            _call(actor, "handle_event", _nothing, from_, msg_type, body)

    return GenEvent


def gen_fsm(actor: ModuleType) -> type:
    """`handle_transition`."""
    from wit_world.exports.gen_fsm import Transition

    class GenFsm:
        def handle_transition(self, state: str, from_: str, msg_type: str, body: bytes) -> Any:
            return Transition(*_call(actor, "handle_transition", _transition, state, from_, msg_type, body))

    return GenFsm


def message_handler(actor: ModuleType) -> type:
    """`handle_message`."""

    class MessageHandler:
        def handle_message(self, from_: str, msg_type: str, body: bytes) -> bytes:
            return _call(actor, "handle_message", _maybe_reply, from_, msg_type, body)

    return MessageHandler


def snapshot(actor: ModuleType) -> type:
    """`snapshot_state`."""

    class Snapshot:
        def snapshot_state(self) -> bytes:
            return _call(actor, "snapshot_state", _reply)

    return Snapshot


def termination(actor: ModuleType) -> type:
    """`terminate`."""

    class Termination:
        def terminate(self, reason: str) -> None:
            _call(actor, "terminate", _nothing, reason)

    return Termination


def _call(actor: ModuleType, function: str, check: Callable[[str, Any], Any], *args: Any) -> Any:
    try:
        if not _wit.running:
            _start()
        return check(function, getattr(actor, function)(*args))
    except BaseException as error:  # SystemExit and MemoryError are the handler's failures too.
        failure = _failure(error)
    # Out of the `except`, so that the frames of the failed call are free and the error carries no context.
    _raise(*failure)


def _start() -> None:
    _wit.running = True
    # The build's memory image holds one seed for all; the node's stream differs per actor and is replayed.
    random.seed(_wit.call("system", "random_bytes", 32))


# What may be returned. Each check gives the value for the host, or raises.


def _reply(function: str, value: Any) -> bytes:
    value = _unpack(function, value)
    if not isinstance(value, (bytes, bytearray, memoryview, str)):
        _refuse(function, value, "bytes, str, (bytes, None) or (None, 'error')")
    return payload(value, f"what {function} returned")


def _maybe_reply(function: str, value: Any) -> bytes:
    return b"" if value is None else _reply(function, value)


def _nothing(function: str, value: Any) -> None:
    value = _unpack(function, value)
    if value is not None:
        _refuse(function, value, "None, (None, None) or (None, 'error')")


def _transition(function: str, value: Any) -> tuple[str, bytes]:
    # (None, "error") is the error pair. (state, x) is not: there x is the reply, None for an empty one.
    if isinstance(value, tuple) and len(value) == 2:
        state, reply = value
        if state is None and reply is not None:
            _unpack(function, value)
        if isinstance(state, str) and (reply is None or isinstance(reply, (bytes, bytearray, memoryview, str))):
            return _text(state), b"" if reply is None else payload(reply, f"the reply of {function}")
    if isinstance(value, str):
        return _text(value), b""
    _refuse(function, value, "the next state as str ('' = stay), (str, bytes) or (None, 'error')")


def _unpack(function: str, value: Any) -> Any:
    """Splits the pair (value, error)."""
    if not (isinstance(value, tuple) and len(value) == 2):
        return value
    result, error = value
    if error is None:
        return result
    if isinstance(error, Error):
        raise error
    if isinstance(error, str):
        raise Error("internal", error)
    raise TypeError(f"{function} returned an error of type {_kind(error)}; it is a str or a plexspaces.Error")


def _refuse(function: str, value: Any, takes: str) -> NoReturn:
    hint = " (it is an `async def`; handlers are plain functions)" if _kind(value) == "coroutine" else ""
    raise TypeError(f"{function} returned {_kind(value)}{hint}; it returns {takes}")


def _kind(value: Any) -> str:
    if isinstance(value, tuple):
        return f"tuple of ({', '.join(type(part).__name__ for part in value)})"
    return "None" if value is None else type(value).__name__


# Failures.


def _failure(error: BaseException) -> tuple[str, str, list[tuple[str, str]]]:
    """Code, message and details for the host."""
    global _ballast
    try:
        if isinstance(error, MemoryError):
            _ballast = None
        if isinstance(error, _wit.Err):
            value = error.value
            return value.code.name.lower(), value.message, value.details
        if isinstance(error, Error):
            details = [(_text(k), _text(v)) for k, v in error.details.items()]
            if isinstance(error, BadValue):
                details += _traceback(error.__traceback__)
            return error.code, _text(error.message), details
        message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if isinstance(error, ImportError):
            message += " (modules are found when the component is built, not when it runs: import them by name)"
        return "internal", _text(message), _traceback(error.__traceback__)
    except BaseException as second:  # An exception whose own `__str__` fails, or no memory even for this.
        return "internal", f"{type(error).__name__} (and {type(second).__name__} while it was described)", []


def _traceback(trace: Optional[TracebackType]) -> list[tuple[str, str]]:
    """The detail that shows the frames, innermost last, without this package's own. None if there are no others."""
    lines = []
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(_OWN_FOLDER):
            name = code.co_filename
            for root in _ROOTS:
                name = name.removeprefix(root)
            source = _sources.get(name, [])
            at = f"{name}:{trace.tb_lineno} in {code.co_name}"
            known = 0 < trace.tb_lineno <= len(source)
            lines.append(f"{at}: {source[trace.tb_lineno - 1].strip()}" if known else at)
        trace = trace.tb_next
    if len(lines) > _FRAMES_MAX:
        half = _FRAMES_MAX // 2
        lines[half:-half] = [f"... {len(lines) - 2 * half} more ..."]
    return [("traceback", _text("\n".join(lines)))] if lines else []


def _raise(code: str, message: str, details: list[tuple[str, str]]) -> NoReturn:
    global _ballast
    if _ballast is None:
        try:
            _ballast = bytearray(64 * 1024)
        except MemoryError:
            pass
    types = _wit.module("types")
    raise _wit.Err(types.Error(types.ErrorCode[code.upper().replace("-", "_")], message, details))


def _text(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()
