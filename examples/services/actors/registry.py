"""Names for services: registered with labels, found by name or pattern, gone when no heartbeat comes."""

import json

from plexspaces import host


def handle_request(from_actor: str, message_type: str, payload: bytes) -> str:
    request = json.loads(payload or b"{}")
    return json.dumps(ACTIONS[message_type](request))


def register(request: dict) -> dict:
    host.registry_register(request["name"], request["address"], request.get("metadata", {}), ttl_ms=request.get("ttl_ms"))
    return {"registered": request["name"]}


def lookup(request: dict) -> dict:
    found = host.registry_lookup(request["name"])
    return {"address": found and found.address, "metadata": dict(found.metadata) if found else None}


def discover(request: dict) -> dict:
    found = host.registry_discover(request["pattern"], request.get("labels", {}))
    return {"names": [entry.name for entry in found]}


def heartbeat(request: dict) -> dict:
    host.registry_heartbeat(request["name"])
    return {"alive": request["name"]}


def unregister(request: dict) -> dict:
    host.registry_unregister(request["name"])
    return {"unregistered": request["name"]}


ACTIONS = {
    "register": register,
    "lookup": lookup,
    "discover": discover,
    "heartbeat": heartbeat,
    "unregister": unregister,
}
