"""A chat room: members of a group get what is published to it."""

import json

from plexspaces import AlreadyExists, host

heard: list = []


def init(initial_state: bytes) -> None:
    global heard
    heard = json.loads(initial_state or b"[]")


def handle_request(from_actor: str, message_type: str, payload: bytes) -> str:
    request = json.loads(payload or b"{}")
    return json.dumps(ACTIONS[message_type](request))


def handle_event(from_actor: str, message_type: str, payload: bytes) -> None:
    # What comes from a group is called "$group:" and its name.
    if message_type.startswith("$group"):
        heard.append({"type": message_type, "from": from_actor, "text": payload.decode()})


def join_group(request: dict) -> dict:
    try:
        host.process_groups_create_group(request["group"])
    except AlreadyExists:
        pass
    host.process_groups_join_group(request["group"])
    return {"joined": request["group"]}


def leave_group(request: dict) -> dict:
    host.process_groups_leave_group(request["group"])
    return {"left": request["group"]}


def publish(request: dict) -> dict:
    host.process_groups_publish_to_group(request["group"], request["text"])
    return {"published": request["text"]}


def members(request: dict) -> dict:
    return {"members": host.process_groups_get_members(request["group"])}


def get_heard(request: dict) -> dict:
    return {"heard": heard}


def snapshot_state() -> str:
    return json.dumps(heard)


ACTIONS = {
    "join_group": join_group,
    "leave_group": leave_group,
    "publish": publish,
    "members": members,
    "heard": get_heard,
}
