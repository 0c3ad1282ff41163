"""Writes a large object to S3 in parts. Each part is retried; the object appears when whole."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from ah_ray.errors import ObjectMissing, StorageError
from ah_ray.storage.s3.client import send_request
from ah_ray.storage.uri import bucket_and_key

PART_BYTES = 64 << 20
"""S3 takes at most 10,000 parts: 640 GB."""


def write_parts(uri: str, path: Path, **condition: str) -> None:
    """Write a local file to S3 in parts.

    `condition` (IfMatch, IfNoneMatch) applies at the moment at which the object appears. Raise
    StorageError if it fails; the store then discards the parts.
    """
    bucket, key = bucket_and_key(uri)
    place = {"Bucket": bucket, "Key": key}
    upload = send_request("writing", uri, "create_multipart_upload", **place)["UploadId"]
    try:
        size_bytes = path.stat().st_size
        starts = range(0, size_bytes, PART_BYTES)
        sent = [_send_part(uri, place, upload, path, start) for start in starts]
        _complete(uri, place, upload, sent, size_bytes, condition)
    except BaseException:
        with suppress(StorageError):
            send_request("writing", uri, "abort_multipart_upload", **place, UploadId=upload)
        raise


def _send_part(
    uri: str, place: dict[str, str], upload: str, path: Path, start: int
) -> dict[str, Any]:
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(PART_BYTES)
    number = start // PART_BYTES + 1
    fields = {**place, "UploadId": upload, "PartNumber": number, "Body": data}
    return {
        "PartNumber": number,
        "ETag": send_request("writing", uri, "upload_part", **fields)["ETag"],
    }


def _complete(
    uri: str,
    place: dict[str, str],
    upload: str,
    sent: list[dict[str, Any]],
    size_bytes: int,
    condition: dict[str, str],
) -> None:
    fields = {**place, "UploadId": upload, "MultipartUpload": {"Parts": sent}, **condition}
    try:
        send_request("writing", uri, "complete_multipart_upload", **fields)
    except ObjectMissing:  # no such upload: an attempt whose response was lost has completed it
        if send_request("writing", uri, "head_object", **place)["ContentLength"] != size_bytes:
            raise
