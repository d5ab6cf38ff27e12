"""A state machine (GenFSM): idle -> processing -> done. The runtime holds the state's name."""

import json

TRANSITIONS = {
    ("idle", "start"): "processing",
    ("processing", "complete"): "done",
}


def handle_transition(state: str, from_actor: str, message_type: str, payload: bytes) -> tuple:
    state = state or "idle"
    if message_type == "get_state":
        following = state
    elif message_type == "reset":
        following = "idle"
    else:
        following = TRANSITIONS.get((state, message_type), state)
        if following == state:
            return "", json.dumps({"state": state, "error": f"{message_type} is not possible in {state}"})
    return following, json.dumps({"state": following})
