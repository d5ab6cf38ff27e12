"""The node's services: `host.<interface>_<function>`, messages and logging without a prefix.

A failure raises a subclass of `plexspaces.Error`. Functions that touch stored data take a context as first
argument, and without one work on the actor's own tenant and namespace. What a turn writes and sends takes effect
when the turn succeeds, all of it or nothing.
"""

from ._channels import (
    channels_publish_to_topic,
    channels_subscribe_to_topic,
    channels_unsubscribe_from_topic,
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
    keyvalue_watch,
    keyvalue_unwatch,
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
from ._process_groups import (
    MemberPage,
    process_groups_create_group,
    process_groups_join_group,
    process_groups_leave_group,
    process_groups_get_members,
    process_groups_members_page,
    process_groups_publish_to_group,
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
    tuplespace_subscribe,
    tuplespace_unsubscribe,
    tuplespace_received,
)

__all__ = [
    "KeyPage",
    "MemberPage",
    "ask_message",
    "channels_publish_to_topic",
    "channels_subscribe_to_topic",
    "channels_unsubscribe_from_topic",
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
    "keyvalue_unwatch",
    "keyvalue_watch",
    "log",
    "log_debug",
    "log_error",
    "log_info",
    "log_trace",
    "log_warn",
    "process_groups_create_group",
    "process_groups_get_members",
    "process_groups_join_group",
    "process_groups_leave_group",
    "process_groups_members_page",
    "process_groups_publish_to_group",
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
    "tuplespace_received",
    "tuplespace_subscribe",
    "tuplespace_take",
    "tuplespace_unsubscribe",
    "tuplespace_write",
]
