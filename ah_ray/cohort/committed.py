"""What is done, by one listing of OUT/videos: the names of the rows, which are the only ledger."""

from __future__ import annotations

from ah_ray import storage
from ah_ray.cohort.identity import video_id_in
from ah_ray.errors import ObjectMissing


def committed_names(out: str) -> dict[str, tuple[str, ...]]:
    """video_id → the names of its rows below OUT/videos; several while an older one lingers.

    Empty if there is no OUT yet. Names that are not rows are passed over.
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
