"""Several services in one turn: it spawns, sends, writes tuples, works through a queue, publishes and sets timers.

Everything that one request does happens together or not at all.
"""

import json

from plexspaces import ANY, host


heard: list = []


def init(initial_state: bytes) -> None:
    global heard
    heard = json.loads(initial_state or b"[]")


def snapshot_state() -> str:
    return json.dumps(heard)


def handle_event(from_actor: str, message_type: str, payload: bytes) -> None:
    # "$topic:done" and the publisher's message type, a line each; or "tick", from the timer.
    heard.append([message_type.split("\n")[0], json.loads(payload)])


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
    host.channels_send_to_queue(request["queue"], json.dumps(request["job"]))
    return {"depth": host.channels_queue_depth(request["queue"])}


def subscribe(request: dict) -> dict:
    host.channels_subscribe_to_topic("done")
    return {"subscribed": "done"}


def remind(request: dict) -> dict:
    """Sends itself a message later, also if the node is down meanwhile."""
    host.send_after(host.self_id(), "tick", json.dumps(request["note"]), request["delay_ms"])
    return {"later": request["note"]}


def get_heard(request: dict) -> dict:
    return {"heard": heard}


def work(request: dict) -> dict:
    """Takes a job, does it, and tells the result: if any of it fails, the job is in the queue again."""
    message = host.channels_receive_from_queue(request["queue"], timeout_ms=request.get("timeout_ms", 0))
    if message is None:
        return {"done": None}
    job = json.loads(message)
    if job == "bad":
        raise ValueError("this job cannot be done")
    host.tuplespace_write(["done", json.dumps(job)])
    host.keyvalue_increment("jobs-done")
    host.channels_publish_to_topic("done", json.dumps(job), "job")
    return {"done": job}


ACTIONS = {
    "spawn_actor": spawn_actor,
    "send_message": send_message,
    "tuplespace_write": tuplespace_write,
    "tuplespace_read": tuplespace_read,
    "enqueue": enqueue,
    "work": work,
    "subscribe": subscribe,
    "remind": remind,
    "heard": get_heard,
}
