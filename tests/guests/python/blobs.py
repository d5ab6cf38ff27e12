"""Every blob function of the Python SDK, in one turn. The reply is `ok`, or the turn fails at the assertion."""

from plexspaces import host
from plexspaces.errors import NotFound
from plexspaces.values import BadValue


def init(initial_state: bytes):
    return None, None


def handle_request(from_actor: str, message_type: str, payload: bytes):
    host.blob_upload("a", b"hello", {"lang": "en", "by": "me"})
    host.blob_upload({"namespace": ""}, "text", "ä", metadata={})
    assert host.blob_download("a") == b"hello"
    assert host.blob_download("text") == "ä".encode()
    assert host.blob_download_range("a", 1, 3) == b"ell"
    assert host.blob_exists("a") and not host.blob_exists("b")
    found = host.blob_metadata("a")
    assert found is not None and found.size == 5 and found.metadata == {"by": "me", "lang": "en"}
    assert host.blob_metadata("b") is None
    upload = host.blob_begin_upload("parts", {"n": "2"})
    assert host.blob_upload_part(upload, b"one ") == 4
    assert host.blob_upload_part(upload, b"two") == 7
    done = host.blob_complete_upload(upload)
    assert (done.id, done.size, done.metadata) == ("parts", 7, {"n": "2"})
    host.blob_copy("parts", "copy")
    assert host.blob_download("copy") == b"one two"
    assert [blob.id for blob in host.blob_list_blobs()] == ["a", "copy", "parts", "text"]
    page = host.blob_list_page("", None, 3)
    assert page.cursor == "parts" and [blob.id for blob in host.blob_list_page("", page.cursor).blobs] == ["text"]
    assert host.blob_delete("copy") and not host.blob_delete("copy")
    given_up = host.blob_begin_upload("never")
    host.blob_abort_upload(given_up)
    for missing in (lambda: host.blob_download("copy"), lambda: host.blob_upload_part(given_up, b"x")):
        try:
            missing()
        except NotFound:
            continue
        return None, "something that is not there was found"
    try:
        host.blob_upload("bad", b"", "no dict")
    except BadValue:
        return b"ok", None
    return None, "metadata that is no dict was taken"
