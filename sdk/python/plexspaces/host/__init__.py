"""The node's services: `host.<interface>_<function>`, messages and logging without a prefix.

A failure raises a subclass of `plexspaces.Error`. Functions that touch stored data take a context as first
argument, and without one work on the actor's own tenant and namespace. What a turn writes and sends takes effect
when the turn succeeds, all of it or nothing.
"""

from ._blob import (
    BlobInfo,
    BlobPage,
    blob_upload,
    blob_download,
    blob_download_range,
    blob_delete,
    blob_exists,
    blob_metadata,
    blob_list_blobs,
    blob_list_page,
    blob_copy,
    blob_begin_upload,
    blob_upload_part,
    blob_complete_upload,
    blob_abort_upload,
)
from ._durability import (
    durability_checkpoint,
    durability_get_sequence,
    durability_is_replaying,
)
from ._keyvalue import (
    KeyPage,
    keyvalue_get,
    keyvalue_put,
    keyvalue_put_with_ttl,
    keyvalue_delete,
    keyvalue_exists,
    keyvalue_list_keys,
    keyvalue_list_page,
    keyvalue_compare_and_swap,
    keyvalue_increment,
)
from ._logging import (
    log,
    log_trace,
    log_debug,
    log_info,
    log_warn,
    log_error,
)
from ._messaging import (
    send_message,
    ask_message,
    spawn_actor,
    self_id,
    stop_actor,
)
from ._system import (
    system_now,
    system_monotonic,
    system_random_bytes,
)
from ._tuplespace import (
    tuplespace_write,
    tuplespace_read,
    tuplespace_take,
    tuplespace_read_all,
    tuplespace_count,
)

__all__ = [
    "BlobInfo",
    "BlobPage",
    "KeyPage",
    "ask_message",
    "blob_abort_upload",
    "blob_begin_upload",
    "blob_complete_upload",
    "blob_copy",
    "blob_delete",
    "blob_download",
    "blob_download_range",
    "blob_exists",
    "blob_list_blobs",
    "blob_list_page",
    "blob_metadata",
    "blob_upload",
    "blob_upload_part",
    "durability_checkpoint",
    "durability_get_sequence",
    "durability_is_replaying",
    "keyvalue_compare_and_swap",
    "keyvalue_delete",
    "keyvalue_exists",
    "keyvalue_get",
    "keyvalue_increment",
    "keyvalue_list_keys",
    "keyvalue_list_page",
    "keyvalue_put",
    "keyvalue_put_with_ttl",
    "log",
    "log_debug",
    "log_error",
    "log_info",
    "log_trace",
    "log_warn",
    "self_id",
    "send_message",
    "spawn_actor",
    "stop_actor",
    "system_monotonic",
    "system_now",
    "system_random_bytes",
    "tuplespace_count",
    "tuplespace_read",
    "tuplespace_read_all",
    "tuplespace_take",
    "tuplespace_write",
]
