"""Large values by name: uploaded and read whole, or in parts of what fits into memory."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional

from .. import _wit
from ..values import BadValue, ContextLike, lower_context, payload, text, unsigned
from ._service import Payload, service


class BlobInfo(NamedTuple):
    """What is known of a blob. Another etag, other content. Times are milliseconds since the Unix epoch."""

    id: str
    size: int
    etag: str
    created_ms: int
    updated_ms: int
    metadata: dict[str, str]


class BlobPage(NamedTuple):
    """Some blobs, in the order of their ids, and where the next page begins: None after the last one."""

    blobs: list[BlobInfo]
    cursor: Optional[str]


# The context comes first or not at all, so metadata, a dict too, is never the first argument.


@service
def blob_upload(
    ctx: Optional[ContextLike], id: str, data: Payload, metadata: Optional[Mapping[str, str]] = None
) -> None:
    """Stores a blob; what was there is replaced."""
    _wit.call("blob", "upload", lower_context(ctx), text(id, "id"), payload(data, "data"), _pairs(metadata))


@service
def blob_download(ctx: Optional[ContextLike], id: str) -> bytes:
    """All bytes of a blob. More than one call moves is ResourceExhausted: see `blob_download_range`."""
    return _wit.call("blob", "download", lower_context(ctx), text(id, "id"))


@service
def blob_download_range(ctx: Optional[ContextLike], id: str, offset: int, length: int) -> bytes:
    """Up to `length` bytes from `offset` on; less, or nothing, at the end."""
    return _wit.call(
        "blob",
        "download_range",
        lower_context(ctx),
        text(id, "id"),
        unsigned(offset, 64, "offset"),
        unsigned(length, 64, "length"),
    )


@service
def blob_delete(ctx: Optional[ContextLike], id: str) -> bool:
    """Deletes a blob, and says whether there was one."""
    return _wit.call("blob", "delete", lower_context(ctx), text(id, "id"))


@service
def blob_exists(ctx: Optional[ContextLike], id: str) -> bool:
    """Whether there is a blob."""
    return _wit.call("blob", "exists", lower_context(ctx), text(id, "id"))


@service
def blob_metadata(ctx: Optional[ContextLike], id: str) -> Optional[BlobInfo]:
    """What is known of a blob, or None."""
    found = _wit.call("blob", "metadata", lower_context(ctx), text(id, "id"))
    return None if found is None else _info(found)


@service
def blob_list_blobs(ctx: Optional[ContextLike], prefix: str = "") -> list[BlobInfo]:
    """All blobs whose ids start with `prefix`, in order. For many of them see `blob_list_page`."""
    page = _page(ctx, prefix, None, 1000)
    blobs = page.blobs
    while page.cursor is not None:
        page = _page(ctx, prefix, page.cursor, 1000)
        blobs.extend(page.blobs)
    return blobs


@service
def blob_list_page(
    ctx: Optional[ContextLike], prefix: str = "", cursor: Optional[str] = None, limit: int = 1000
) -> BlobPage:
    """Up to `limit` (1 to 1,000) blobs whose ids start with `prefix`, after `cursor`."""
    return _page(ctx, prefix, cursor, limit)


@service
def blob_copy(ctx: Optional[ContextLike], source: str, dest: str) -> None:
    """Makes `dest` the same as `source`. No bytes move, however large it is."""
    _wit.call("blob", "copy", lower_context(ctx), text(source, "source"), text(dest, "dest"))


@service
def blob_begin_upload(
    ctx: Optional[ContextLike], id: str, metadata: Optional[Mapping[str, str]] = None
) -> str:
    """Begins an upload in parts and names it. Keep the name to go on in a later turn, within 24 hours."""
    return _wit.call("blob", "begin_upload", lower_context(ctx), text(id, "id"), _pairs(metadata))


@service
def blob_upload_part(ctx: Optional[ContextLike], upload: str, data: Payload) -> int:
    """Adds bytes at the end; returns the size so far. One to four MiB at once are best."""
    return _wit.call("blob", "upload_part", lower_context(ctx), text(upload, "upload"), payload(data, "data"))


@service
def blob_complete_upload(ctx: Optional[ContextLike], upload: str) -> BlobInfo:
    """Makes what was uploaded the blob. The upload is over."""
    return _info(_wit.call("blob", "complete_upload", lower_context(ctx), text(upload, "upload")))


@service
def blob_abort_upload(ctx: Optional[ContextLike], upload: str) -> None:
    """Gives the upload up."""
    _wit.call("blob", "abort_upload", lower_context(ctx), text(upload, "upload"))


def _pairs(metadata: Optional[Mapping[str, str]]) -> list[tuple[str, str]]:
    if metadata is None:
        return []
    if not isinstance(metadata, Mapping):
        raise BadValue(f"metadata is of type {type(metadata).__name__}, not a dict of str to str")
    return [
        (text(name, "a name of the metadata"), text(value, "a value of the metadata"))
        for name, value in metadata.items()
    ]


def _info(info: Any) -> BlobInfo:
    return BlobInfo(info.id, info.size, info.etag, info.created_ms, info.updated_ms, dict(info.metadata))


def _page(ctx: Optional[ContextLike], prefix: str, cursor: Optional[str], limit: int) -> BlobPage:
    page = _wit.call(
        "blob",
        "list_blobs",
        lower_context(ctx),
        text(prefix, "prefix"),
        None if cursor is None else text(cursor, "cursor"),
        unsigned(limit, 32, "limit"),
    )
    return BlobPage([_info(info) for info in page.blobs], page.cursor)
