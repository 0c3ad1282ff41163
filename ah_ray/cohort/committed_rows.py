"""The videos that are done, from one listing of OUT/videos: the rows' names are the only ledger."""

from __future__ import annotations

from ah_ray import storage
from ah_ray.cohort.identity import video_id_in
from ah_ray.errors import ObjectMissing


def committed_names(out: str) -> dict[str, tuple[str, ...]]:
    """Return video_id → names of its rows in OUT/videos.

    A video has several names while an older row is not yet removed. The result is empty if there
    is no OUT yet. Other names are skipped.
    """
    names: dict[str, tuple[str, ...]] = {}
    try:
        for page in storage.list_pages(storage.join(out, "videos")):
            for entry in page:
                if video_id := video_id_in(entry.key):
                    names[video_id] = (*names.get(video_id, ()), entry.key)
    except ObjectMissing:
        return {}
    return names
