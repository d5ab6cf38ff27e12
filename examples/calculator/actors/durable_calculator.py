"""A calculator that remembers: its state survives crashes and restarts, and there is no storage code in it.

Every turn is journaled. A checkpoint is the bytes of `snapshot_state`; after a restart the actor gets the last one in
`init`, and the runtime replays what came after it.

    {"operation": "add", "operands": [10, 5]}   {"result": 15, "operation": "add", "operation_count": 1, "durable": true}
    {"operation": "get_state"}                  {"last_operation": ..., "last_result": ..., "operation_count": ..., "history": [...]}
    {"operation": "get_history"}                {"history": [...]}
    {"operation": "reset"}                      {"operation_count": 0, "durable": true}
"""

import json

from calculator import calculate, encode

HISTORY_MAX = 100

_calculator_state = {
    "last_operation": None,
    "last_result": 0.0,
    "operation_count": 0,
    "history": [],
}


def init(initial_state: bytes):
    global _calculator_state
    if initial_state:
        _calculator_state = json.loads(initial_state)
    return None, None


def handle_request(from_actor: str, message_type: str, payload: bytes):
    try:
        request = json.loads(payload)
        operation = request["operation"]
        if operation == "get_state":
            return encode(_calculator_state), None
        if operation == "get_history":
            return encode({"history": _calculator_state["history"]}), None
        if operation == "reset":
            _calculator_state.update(last_operation=None, last_result=0.0, operation_count=0, history=[])
            return encode({"operation_count": 0, "durable": True}), None
        result = calculate(operation, request.get("operands", []))
    except KeyError as missing:
        return encode({"error": f"The request has no {missing}"}), None
    except (TypeError, ValueError, ArithmeticError) as problem:
        return encode({"error": str(problem)}), None

    _calculator_state["last_operation"] = operation
    _calculator_state["last_result"] = result
    _calculator_state["operation_count"] += 1
    _calculator_state["history"].append({"operation": operation, "result": result})
    del _calculator_state["history"][:-HISTORY_MAX]
    count = _calculator_state["operation_count"]
    return encode({"result": result, "operation": operation, "operation_count": count, "durable": True}), None


def snapshot_state():
    return encode(_calculator_state), None
