"""Durable actors in Python: see `plexspaces.host` for the node's services.

An actor is a file with functions such as `handle_request(from_actor, message_type, payload)`;
`plexspaces build FILE` makes a component of it.
"""

from . import host
from .errors import (
    AlreadyExists,
    Conflict,
    Error,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Timeout,
    Unavailable,
)
from .values import ANY, Context, Prefix, Range

__all__ = [
    "ANY",
    "AlreadyExists",
    "Conflict",
    "Context",
    "Error",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "NotFound",
    "PermissionDenied",
    "Prefix",
    "Range",
    "ResourceExhausted",
    "Timeout",
    "Unavailable",
    "host",
]
