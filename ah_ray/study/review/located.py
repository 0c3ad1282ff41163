"""Locations of videos: from their output or, if that holds no names, from a listing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ah_ray.cohort.cohort import open_cohort
from ah_ray.cohort.id_key import read_id_key
from ah_ray.errors import ConfigError, ErrorKind
from ah_ray.records import Video
from ah_ray.study.review.moments import Moment


def located(moments: Sequence[Moment], videos: str | None, id_key: str | None) -> list[Moment]:
    """Return the same moments, with the locations of their videos.

    `videos` and `id_key` are those of the scoring run, from which ids follow. A video that is not
    listed gets a `problem`. Raise ConfigError if locations are needed and cannot be found.
    """
    places = places_of({m.video.video_id: m.video for m in moments}, videos, id_key)
    return [replace(moment, video=places[moment.video.video_id]) for moment in moments]


def places_of(scored: dict[str, Video], videos: str | None, id_key: str | None) -> dict[str, Video]:
    """Return the scored videos, by video_id, at their present locations."""
    if videos is None:
        if any(video.uri is None for video in scored.values()):
            raise ConfigError(
                "the output was written with --hide-uris, so it does not say where its videos "
                "are: give --videos (and --id-key) as score.py had them"
            )
        return scored
    cohort = open_cohort(videos, id_key=read_id_key(id_key))
    uris = {video.video_id: video.uri for video in cohort if video.video_id in scored}
    if not uris:
        raise ConfigError(
            f"none of the videos is in --videos {videos}: ids follow from --videos and --id-key "
            "of score.py, so give the same"
        )
    return {
        video_id: replace(video, uri=uris[video_id]) if video_id in uris else _absent(video)
        for video_id, video in scored.items()
    }


def _absent(video: Video) -> Video:
    problem = "it is no longer among --videos"
    return replace(video, problem_kind=ErrorKind.MISSING, problem=problem)
