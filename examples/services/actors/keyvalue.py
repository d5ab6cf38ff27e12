"""Values by key, shared by all actors of the namespace: store, retrieve, delete, list, count, swap, expire."""

import json

from plexspaces import host


def handle_request(from_actor: str, message_type: str, payload: bytes) -> str:
    request = json.loads(payload or b"{}")
    return json.dumps(ACTIONS[message_type](request))


def store(request: dict) -> dict:
    if "ttl_ms" in request:
        host.keyvalue_put_with_ttl(request["key"], request["value"], request["ttl_ms"])
    else:
        host.keyvalue_put(request["key"], request["value"])
    return {"stored": request["key"]}


def retrieve(request: dict) -> dict:
    value = host.keyvalue_get(request["key"])
    return {"value": None if value is None else value.decode()}


def delete(request: dict) -> dict:
    existed = host.keyvalue_exists(request["key"])
    host.keyvalue_delete(request["key"])
    return {"deleted": existed}


def list_keys(request: dict) -> dict:
    return {"keys": host.keyvalue_list_keys(request.get("prefix", ""))}


def increment(request: dict) -> dict:
    return {"value": host.keyvalue_increment(request["key"], request.get("by", 1))}


def swap(request: dict) -> dict:
    return {"swapped": host.keyvalue_compare_and_swap(request["key"], request["expected"], request["new"])}


ACTIONS = {
    "store": store,
    "retrieve": retrieve,
    "delete": delete,
    "list": list_keys,
    "increment": increment,
    "swap": swap,
}
