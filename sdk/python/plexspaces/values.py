"""Contexts, tuple fields and patterns: from what an author writes to what the host takes, and back.

A field is a plain value (str, int, float, bytes, bool, None) or a dict that names its type, `{"float-val": 1}`. A pattern
field is a field, which matches itself, or a predicate: `ANY`, a type, `Range`, `Prefix`, or the dict forms
`{"exact": field}`, `{"any": None}`, `{"typed": "string"}`, `{"range": {"min": field, "max": field}}`, `{"prefix": "a"}`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Optional, Union

from . import _wit
from .errors import InvalidArgument

Plain = Union[str, int, float, bytes, bool, None]
Field = Union[Plain, Mapping[str, Any]]


class BadValue(InvalidArgument):
    """An argument of a host function that the host could not take: a mistake in the author's own code."""


@dataclass(frozen=True)
class Context:
    """Whose data an operation touches. Empty means the actor's own."""

    tenant_id: str = ""
    namespace: str = ""


ContextLike = Union[Context, Mapping[str, str]]


class _Any:
    """The type of `ANY`."""

    def __repr__(self) -> str:
        return "ANY"


ANY = _Any()
"""In a pattern: anything."""


@dataclass(frozen=True)
class Range:
    """In a pattern: from `min` to `max`, both included. A bound that is left out bounds nothing."""

    min: Field = None
    max: Field = None


@dataclass(frozen=True)
class Prefix:
    """In a pattern: strings that start with this."""

    prefix: str


PatternField = Union[Field, _Any, type, Range, Prefix]

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1

_TYPES = {
    str: "string",
    int: "int",
    float: "float",
    bytes: "bytes",
    bool: "bool",
    type(None): "null",
}


def text(value: Any, what: str) -> str:
    """A string that the host can take."""
    if not isinstance(value, str):
        raise BadValue(f"{what} is {_kind(value)}, not a str")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadValue(f"{what} is no Unicode text: {error}") from None
    return str(value)


def payload(value: Any, what: str) -> bytes:
    """Bytes; text is encoded as UTF-8."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return text(value, what).encode()
    raise BadValue(f"{what} is {_kind(value)}, not bytes or str")


def unsigned(value: Any, bits: int, what: str) -> int:
    """A whole number that fits."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue(f"{what} is {_kind(value)}, not an int")
    if not 0 <= value < 1 << bits:
        raise BadValue(f"{what} is {value}, which is not between 0 and {(1 << bits) - 1}")
    return int(value)


def signed(value: Any, bits: int, what: str) -> int:
    """A whole number that fits, with its sign."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue(f"{what} is {_kind(value)}, not an int")
    bound = 1 << (bits - 1)
    if not -bound <= value < bound:
        raise BadValue(f"{what} is {value}, which is not between {-bound} and {bound - 1}")
    return int(value)


def lower_context(ctx: Optional[ContextLike]) -> Any:
    """The host's context."""
    if ctx is None:
        ctx = Context()
    elif isinstance(ctx, Mapping):
        parts = {str(name).replace("-", "_"): value for name, value in ctx.items()}
        unknown = set(parts) - {"tenant_id", "namespace"}
        if unknown:
            raise BadValue(
                f"a context has 'tenant-id' and 'namespace', not {', '.join(map(repr, sorted(unknown)))}"
            )
        ctx = Context(**parts)
    elif not isinstance(ctx, Context):
        raise BadValue(f"the context is {_kind(ctx)}, not a Context or a dict")
    return _wit.module("types").Context(
        text(ctx.tenant_id, "the context's tenant-id"), text(ctx.namespace, "the context's namespace")
    )


def lower_tuple(fields: Iterable[Field]) -> list[Any]:
    """The host's tuple."""
    return [_lower_field(field, f"field {n} of the tuple") for n, field in enumerate(_sequence(fields, "tuple"))]


def lower_pattern(fields: Iterable[PatternField]) -> list[Any]:
    """The host's pattern."""
    return [_lower_predicate(field, f"field {n} of the pattern") for n, field in enumerate(_sequence(fields, "pattern"))]


def lift_tuple(fields: Iterable[Any]) -> tuple[Plain, ...]:
    """Plain Python values."""
    return tuple(getattr(field, "value", None) for field in fields)


def _sequence(fields: Any, what: str) -> list[Any]:
    # A string is iterable too, and one character per field is what nobody means.
    if isinstance(fields, (str, bytes, Mapping)) or not hasattr(fields, "__iter__"):
        raise BadValue(f"a {what} is a list of fields, not {_kind(fields)}")
    return list(fields)


def _lower_field(field: Any, what: str) -> Any:
    types = _wit.module("types")
    if isinstance(field, Mapping):
        return _lower_typed_field(field, what)
    if field is None:
        return types.Value_NullVal()
    if isinstance(field, bool):
        return types.Value_BoolVal(field)
    if isinstance(field, int):
        return types.Value_IntVal(_int(field, what))
    if isinstance(field, float):
        return types.Value_FloatVal(float(field))
    if isinstance(field, str):
        return types.Value_StringVal(text(field, what))
    if isinstance(field, (bytes, bytearray, memoryview)):
        return types.Value_BytesVal(bytes(field))
    raise BadValue(f"{what} is {_kind(field)}; fields are str, int, float, bytes, bool or None")


def _lower_typed_field(field: Mapping[str, Any], what: str) -> Any:
    types = _wit.module("types")
    name, value = _single(field, what)
    if name == "string-val":
        return types.Value_StringVal(text(value, what))
    if name == "int-val":
        if isinstance(value, int) and not isinstance(value, bool):
            return types.Value_IntVal(_int(value, what))
        raise BadValue(f"{what} is an int-val of {_kind(value)}, not of an int")
    if name == "float-val":
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return types.Value_FloatVal(_float(value, what))
        raise BadValue(f"{what} is a float-val of {_kind(value)}, not of a float or an int")
    if name == "bytes-val":
        return types.Value_BytesVal(payload(value, what))
    if name == "bool-val":
        if isinstance(value, bool):
            return types.Value_BoolVal(value)
        raise BadValue(f"{what} is a bool-val of {_kind(value)}, not of a bool")
    if name == "null-val":
        return types.Value_NullVal()
    raise BadValue(
        f"{what} has the type {name!r}; types are string-val, int-val, float-val, bytes-val, bool-val and null-val"
    )


def _lower_predicate(field: Any, what: str) -> Any:
    tuplespace = _wit.module("tuplespace")
    if isinstance(field, _Any):
        return tuplespace.PatternField_Any()
    if isinstance(field, type) or (field is Any):
        if field is Any or field is object:
            return tuplespace.PatternField_Any()
        if field not in _TYPES:
            raise BadValue(f"{what} is the type {field.__name__}; types are str, int, float, bytes, bool and type(None)")
        return tuplespace.PatternField_Typed(_value_type(_TYPES[field], what))
    if isinstance(field, Range):
        return _lower_range(field.min, field.max, what)
    if isinstance(field, Prefix):
        return tuplespace.PatternField_Prefix(text(field.prefix, what))
    if isinstance(field, Mapping):
        name, value = _single(field, what)
        if name == "exact":
            return tuplespace.PatternField_Exact(_lower_field(value, what))
        if name == "any":
            return tuplespace.PatternField_Any()
        if name == "typed":
            if isinstance(value, type):
                return _lower_predicate(value, what)
            return tuplespace.PatternField_Typed(_value_type(text(value, what), what))
        if name == "range":
            bounds = value if isinstance(value, Mapping) else {}
            if not bounds or set(bounds) - {"min", "max"}:
                raise BadValue(f"{what} is a range without bounds; give {{'min': field, 'max': field}}")
            return _lower_range(bounds.get("min"), bounds.get("max"), what)
        if name == "prefix":
            return tuplespace.PatternField_Prefix(text(value, what))
        if not name.endswith("-val"):
            raise BadValue(f"{what} has the key {name!r}; keys are exact, any, typed, range and prefix")
    return tuplespace.PatternField_Exact(_lower_field(field, what))


def lower_attribute_test(wanted: Any, what: str) -> Any:
    """What the value of a message's attribute must be: a str, a `Prefix`, or `ANY`."""
    channels = _wit.module("channels")
    if isinstance(wanted, _Any):
        return channels.AttributeTest_Any()
    if isinstance(wanted, Prefix):
        return channels.AttributeTest_Prefix(text(wanted.prefix, what))
    return channels.AttributeTest_Equals(text(wanted, what))


def _lower_range(low: Field, high: Field, what: str) -> Any:
    tuplespace = _wit.module("tuplespace")
    # An int beside a float would be a range between two types, which matches nothing.
    if isinstance(low, float) and type(high) is int:
        high = _float(high, what)
    if isinstance(high, float) and type(low) is int:
        low = _float(low, what)
    return tuplespace.PatternField_Range(
        tuplespace.ValueRange(
            None if low is None else _lower_field(low, what),
            None if high is None else _lower_field(high, what),
        )
    )


def _value_type(name: str, what: str) -> Any:
    name = name.replace("_", "-").removesuffix("-type").removesuffix("-val")
    if name not in _TYPES.values():
        raise BadValue(f"{what} has the type {name!r}; types are {', '.join(_TYPES.values())}")
    return _wit.module("types").ValueType[f"{name.upper()}_TYPE"]


def _single(field: Mapping[str, Any], what: str) -> tuple[str, Any]:
    if len(field) != 1:
        raise BadValue(f"{what} is a dict of {len(field)} keys; it has one, such as {{'string-val': 'x'}}")
    name, value = next(iter(field.items()))
    return str(name).replace("_", "-"), value


def _int(value: int, what: str) -> int:
    if not _INT_MIN <= value <= _INT_MAX:
        raise BadValue(f"{what} is an int of more than 64 bits")
    return int(value)


def _float(value: Union[int, float], what: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise BadValue(f"{what} is an int that no float can hold") from None


def _kind(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
