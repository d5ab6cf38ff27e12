"""Several services in one turn: it spawns, sends, writes tuples, and works through a queue.

Everything that one request does happens together or not at all.
"""

import json

from plexspaces import ANY, host


def handle_request(from_actor: str, message_type: str, payload: bytes) -> str:
    request = json.loads(payload or b"{}")
    return json.dumps(ACTIONS[message_type](request))


def spawn_actor(request: dict) -> dict:
    return {"id": host.spawn_actor(request["behavior"], request.get("key"), json.dumps(request.get("state", 0)))}


def send_message(request: dict) -> dict:
    host.send_message(request["to"], request["type"], request.get("payload", ""))
    return {"sent": request["to"]}


def tuplespace_write(request: dict) -> dict:
    host.tuplespace_write(request["tuple"])
    return {"written": request["tuple"]}


def tuplespace_read(request: dict) -> dict:
    pattern = [ANY if field is None else field for field in request["pattern"]]
    return {"tuple": host.tuplespace_read(pattern)}


def enqueue(request: dict) -> dict:
    host.channels_send_to_queue(request["queue"], "job", json.dumps(request["job"]))
    return {"depth": host.channels_queue_depth(request["queue"])}


def work(request: dict) -> dict:
    """Takes a job, does it, and tells the result: if any of it fails, the job is in the queue again."""
    message = host.channels_receive_from_queue(request["queue"], timeout_ms=request.get("timeout_ms", 0))
    if message is None:
        return {"done": None}
    job = json.loads(message.payload)
    if job == "bad":
        raise ValueError("this job cannot be done")
    host.tuplespace_write(["done", json.dumps(job)])
    host.keyvalue_increment("jobs-done")
    return {"done": job}


ACTIONS = {
    "spawn_actor": spawn_actor,
    "send_message": send_message,
    "tuplespace_write": tuplespace_write,
    "tuplespace_read": tuplespace_read,
    "enqueue": enqueue,
    "work": work,
}
