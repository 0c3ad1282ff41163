"""The contents of OUT: configuration, lease, rows, tables, and summaries of runs."""

from ah_ray import storage


def rows_folder(out: str) -> str:
    """Return the URI of OUT/videos, where each video's row is a file."""
    return storage.join(out, "videos")
