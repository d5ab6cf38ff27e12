"""Failures with a code: what a host call raises, and what a handler raises to choose its reply's code."""

from __future__ import annotations

from typing import Iterable, Mapping, Optional, Union

Details = Union[Mapping[str, object], Iterable[tuple[str, object]]]

CODES = (
    "invalid-argument",
    "not-found",
    "already-exists",
    "permission-denied",
    "timeout",
    "conflict",
    "resource-exhausted",
    "unavailable",
    "failed-precondition",
    "internal",
)


class Error(Exception):
    """A failure: `code` (one of `CODES`), `message` for people, `details` for programs.

    Each code has a subclass, such as `NotFound`, which the host's functions raise.
    """

    code: str
    message: str
    details: dict[str, str]

    def __init__(self, code: str, message: str = "", details: Optional[Details] = None) -> None:
        code = str(code).replace("_", "-")
        if code not in CODES:
            raise ValueError(f"{code!r} is no error code; the codes are {', '.join(CODES)}")
        self.code = code
        self.message = str(message)
        self.details = {str(name): str(value) for name, value in dict(details or {}).items()}
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class _Coded(Error):
    """What the subclasses share: the code is the class's."""

    code = ""

    def __init__(self, message: str = "", details: Optional[Details] = None) -> None:
        super().__init__(type(self).code, message, details)


class InvalidArgument(_Coded):
    """The caller gave something that can never work."""

    code = "invalid-argument"


class NotFound(_Coded):
    """What was named is not there."""

    code = "not-found"


class AlreadyExists(_Coded):
    """What was to be made is there already."""

    code = "already-exists"


class PermissionDenied(_Coded):
    """The capability for that was not granted."""

    code = "permission-denied"


class Timeout(_Coded):
    """No answer within the time that the caller gave."""

    code = "timeout"


class Conflict(_Coded):
    """Somebody else changed the same thing."""

    code = "conflict"


class ResourceExhausted(_Coded):
    """A limit is reached."""

    code = "resource-exhausted"


class Unavailable(_Coded):
    """Not now; trying again may help."""

    code = "unavailable"


class FailedPrecondition(_Coded):
    """The actor is not in the state for that."""

    code = "failed-precondition"


class Internal(_Coded):
    """Anything else, such as a bug."""

    code = "internal"


_CLASSES = {cls.code: cls for cls in _Coded.__subclasses__()}


def of_code(code: str, message: str, details: Details) -> Error:
    """The error of the code's own class."""
    return _CLASSES[code](message, details)
