"""Large data beside the store: uploaded whole or in parts, read by ranges, copied without moving bytes."""

import json

from plexspaces import host


def handle_request(from_actor: str, message_type: str, payload: bytes) -> str:
    request = json.loads(payload or b"{}")
    return json.dumps(ACTIONS[message_type](request))


def upload(request: dict) -> dict:
    host.blob_upload(request["id"], request["text"], request.get("metadata", {}))
    return {"uploaded": request["id"]}


def upload_parts(request: dict) -> dict:
    """Each part passes through memory alone, so the blob may be larger than the actor."""
    handle = host.blob_begin_upload(request["id"], {})
    for n in range(request["parts"]):
        host.blob_upload_part(handle, bytes([65 + n % 26]) * request["part_bytes"])
    return {"size": host.blob_complete_upload(handle).size}


def download(request: dict) -> dict:
    if "offset" in request:
        data = host.blob_download_range(request["id"], request["offset"], request["length"])
    else:
        data = host.blob_download(request["id"])
    return {"text": data.decode()}


def metadata(request: dict) -> dict:
    info = host.blob_metadata(request["id"])
    return {"size": info and info.size, "metadata": dict(info.metadata) if info else None}


def list_blobs(request: dict) -> dict:
    return {"ids": [info.id for info in host.blob_list_blobs(request.get("prefix", ""))]}


def copy(request: dict) -> dict:
    host.blob_copy(request["source"], request["dest"])
    return {"copied": request["dest"]}


def delete(request: dict) -> dict:
    return {"deleted": host.blob_delete(request["id"])}


ACTIONS = {
    "upload": upload,
    "upload_parts": upload_parts,
    "download": download,
    "metadata": metadata,
    "list": list_blobs,
    "copy": copy,
    "delete": delete,
}
