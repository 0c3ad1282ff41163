"""A large object to S3, in parts: each is sent again by itself; the object appears when whole."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ah_ray.errors import ObjectMissing, StorageError
from ah_ray.storage.s3_client import call
from ah_ray.storage.uri import bucket_and_key

PART_BYTES = 64 << 20
"""S3 takes at most 10,000 parts: 640 GB."""


def write_parts(uri: str, path: Path) -> None:
    """Raises StorageError; what was sent of it is then dropped by the store."""
    bucket, key = bucket_and_key(uri)
    place = {"Bucket": bucket, "Key": key}
    upload = call("writing", uri, "create_multipart_upload", **place)["UploadId"]
    try:
        size_bytes = path.stat().st_size
        starts = range(0, size_bytes, PART_BYTES)
        sent = [_send(uri, place, upload, path, start) for start in starts]
        _complete(uri, place, upload, sent, size_bytes)
    except BaseException:
        with suppress(StorageError):
            call("writing", uri, "abort_multipart_upload", **place, UploadId=upload)
        raise


def _send(uri: str, place: dict[str, str], upload: str, path: Path, start: int) -> dict:
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(PART_BYTES)
    number = start // PART_BYTES + 1
    fields = {**place, "UploadId": upload, "PartNumber": number, "Body": data}
    return {"PartNumber": number, "ETag": call("writing", uri, "upload_part", **fields)["ETag"]}


def _complete(
    uri: str, place: dict[str, str], upload: str, sent: list[dict], size_bytes: int
) -> None:
    fields = {**place, "UploadId": upload, "MultipartUpload": {"Parts": sent}}
    try:
        call("writing", uri, "complete_multipart_upload", **fields)
    except ObjectMissing:  # no such upload: an attempt whose answer was lost has completed it
        if call("writing", uri, "head_object", **place)["ContentLength"] != size_bytes:
            raise
