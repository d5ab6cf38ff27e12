"""A calculator that shares its results through the tuple space, where other actors find them by pattern.

Each result is the tuple ("calculator_result", operation, result, asker).

    {"operation": "add", "operands": [10, 5]}             {"result": 15, "operation": "add", "tuplespace_used": true}
    {"operation": "read_result", "of": "add"}             {"result": 15.0, "operation": "add", "from": "..."} or {"result": null}
    {"operation": "read_results", "of": "add"}            {"results": [...]}
    {"operation": "count_results", "of": "add"}           {"count": 1}
    {"operation": "take_result", "of": "add"}             as read_result, and the tuple is gone

Without "of" the last four look at every operation's results.
"""

import json

from calculator import calculate, encode
from plexspaces import ANY, host

RESULT = "calculator_result"

ctx = {"tenant-id": "", "namespace": ""}  # the actor's own


def handle_request(from_actor: str, message_type: str, payload: bytes):
    try:
        request = json.loads(payload)
        operation = request["operation"]
        if operation in LOOKUPS:
            return encode(LOOKUPS[operation](pattern_of(request))), None
        result = calculate(operation, request.get("operands", []))
    except KeyError as missing:
        return encode({"error": f"The request has no {missing}"}), None
    except (TypeError, ValueError, ArithmeticError) as problem:
        return encode({"error": str(problem)}), None

    tuple_fields = [
        {"string-val": RESULT},
        {"string-val": operation},
        {"float-val": result},
        {"string-val": from_actor},
    ]
    host.tuplespace_write(ctx, tuple_fields)
    return encode({"result": result, "operation": operation, "tuplespace_used": True}), None


def pattern_of(request):
    """The pattern of the results that a request asks for: plain values match themselves, ANY matches anything."""
    return [RESULT, request.get("of", ANY), ANY, ANY]


def as_reply(found):
    if found is None:
        return {"result": None}
    _, operation, result, asker = found
    return {"result": result, "operation": operation, "from": asker}


LOOKUPS = {
    "read_result": lambda pattern: as_reply(host.tuplespace_read(ctx, pattern)),
    "read_results": lambda pattern: {"results": [as_reply(found) for found in host.tuplespace_read_all(ctx, pattern)]},
    "count_results": lambda pattern: {"count": host.tuplespace_count(ctx, pattern)},
    "take_result": lambda pattern: as_reply(host.tuplespace_take(ctx, pattern)),
}
