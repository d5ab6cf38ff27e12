"""The node's services: `host.<interface>_<function>`, messages and logging without a prefix.

A failure raises a subclass of `plexspaces.Error`. Functions that touch stored data take a context as first
argument, and without one work on the actor's own tenant and namespace. What a turn writes and sends takes effect
when the turn succeeds, all of it or nothing.
"""

from ._channels import (
    LeasedMessage,
    channels_create_queue,
    channels_delete_queue,
    channels_send_to_queue,
    channels_receive_from_queue,
    channels_receive_leased,
    channels_ack,
    channels_nack,
    channels_extend_lease,
    channels_queue_depth,
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
from ._locks import (
    Lease,
    LockHolder,
    locks_acquire,
    locks_try_acquire,
    locks_release,
    locks_renew,
    locks_get_lock,
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
    "KeyPage",
    "Lease",
    "LeasedMessage",
    "LockHolder",
    "ask_message",
    "channels_ack",
    "channels_create_queue",
    "channels_delete_queue",
    "channels_extend_lease",
    "channels_nack",
    "channels_queue_depth",
    "channels_receive_from_queue",
    "channels_receive_leased",
    "channels_send_to_queue",
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
    "locks_acquire",
    "locks_get_lock",
    "locks_release",
    "locks_renew",
    "locks_try_acquire",
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
