"""What the modules of `host` have in common: the context that may come first, and payloads."""

from __future__ import annotations

import functools
from typing import Callable, Concatenate, Mapping, Optional, ParamSpec, Protocol, TypeVar, Union, overload

from ..values import Context, ContextLike

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
Payload = Union[bytes, bytearray, memoryview, str]


class Service(Protocol[P, R]):
    """A function that takes a context first, if one is given."""

    @overload
    def __call__(self, ctx: ContextLike, /, *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...


def service(function: Callable[Concatenate[Optional[ContextLike], P], R]) -> Service[P, R]:
    """Lets a function be called with a context or without."""

    @functools.wraps(function)
    def with_context(*args: object, ctx: Optional[ContextLike] = None, **kwargs: object) -> R:
        # No argument proper is ever a dict or a Context, so the first one tells.
        if ctx is None and args and isinstance(args[0], (Context, Mapping)):
            return function(*args, **kwargs)  # type: ignore[arg-type]
        return function(ctx, *args, **kwargs)  # type: ignore[arg-type]

    return with_context  # type: ignore[return-value]
