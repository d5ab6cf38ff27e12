"""A calculator that answers requests and remembers nothing.

    request  {"operation": "add", "operands": [10, 5]}
    reply    {"result": 15, "operation": "add"}

A request that cannot be computed is answered with {"error": "..."}: that is an answer too, and the turn succeeds.
"""

import json
import math


def handle_request(from_actor: str, message_type: str, payload: bytes) -> bytes:
    try:
        request = json.loads(payload)
        operation = request["operation"]
        result = calculate(operation, request.get("operands", []))
        return encode({"result": result, "operation": operation})
    except KeyError as missing:
        return encode({"error": f"The request has no {missing}"})
    except (TypeError, ValueError, ArithmeticError) as problem:
        return encode({"error": str(problem)})


def calculate(operation, operands):
    """The result, or ValueError or an arithmetic error with a text for people."""
    if operation not in OPERATIONS:
        raise ValueError(f"Unknown operation: {operation}")
    for operand in operands:
        if isinstance(operand, bool) or not isinstance(operand, (int, float)):
            raise ValueError(f"{operand!r} is not a number")
    least, most, function = OPERATIONS[operation]
    if len(operands) < least or (most is not None and len(operands) > most):
        raise ValueError(f"{operation} takes {arity(least, most)}, not {len(operands)}")
    result = function(operands)
    if not math.isfinite(result):  # JSON has no infinity and no NaN
        raise ValueError("The result is not a real number")
    return result


def arity(least, most):
    if most is None:
        return f"{least} or more operands"
    return "1 operand" if most == 1 else f"{most} operands"


def divide(operands):
    if 0 in operands[1:]:
        raise ZeroDivisionError("Division by zero")
    result = operands[0]
    for operand in operands[1:]:
        result /= operand
    return result


def square_root(operands):
    if operands[0] < 0:
        raise ValueError("Square root of a negative number")
    return math.sqrt(operands[0])


def power(operands):
    if abs(operands[1]) > 1000:
        raise ValueError("The exponent is beyond 1000")
    result = operands[0] ** operands[1]
    if isinstance(result, complex):
        raise ValueError("The result is not a real number")
    return result


# Name: (least and most operands, function). None = any number of them.
OPERATIONS = {
    "add": (0, None, sum),
    "subtract": (1, None, lambda operands: operands[0] - sum(operands[1:])),
    "multiply": (0, None, math.prod),
    "divide": (2, None, divide),
    "power": (2, 2, power),
    "sqrt": (1, 1, square_root),
}


def encode(reply) -> bytes:
    return json.dumps(reply).encode("utf-8")
