"""Describe a video without decoding it. The decoding process answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ah_ray.config import Limits
from ah_ray.media.decode_process import DecodeProcess, broken_promise_error, check_number
from ah_ray.media.file_check import check_file
from ah_ray.media.frames import most_frames
from ah_ray.media.messages import make_error
from ah_ray.media.sandbox.open_files import open_source

_LONGEST_S = 1e9
_MOST_TRACKS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What is known of a recording from its packets. One of its pictures was decoded."""

    planned_s: float  # how long it was meant to be; longer than it is if it was cut off
    duration_s: float  # of the picture, in seconds from the first one
    n_pictures: int
    picture_track: int  # index in the file
    sound_track: int | None
    first_s: float  # when the first picture is shown, from where the file (its sound) begins
    unscored_sound_s: float  # of sound before the first picture or after the last

    @classmethod
    def of(cls, header: dict[str, Any], limits: Limits) -> Probe:
        """Return the content of a message of the decoding process, checked against the limits.

        Raises:
            VideoError: A value is not possible.
        """
        sound, most_s = header.get("sound_track"), limits.max_duration_s
        return cls(
            planned_s=check_number(header.get("planned_s"), 0.0, most_s),
            duration_s=check_number(header.get("duration_s"), 0.0, most_s),
            n_pictures=int(check_number(header.get("n_pictures"), 0, most_frames(limits))),
            picture_track=int(check_number(header.get("picture_track"), 0, _MOST_TRACKS)),
            sound_track=None if sound is None else int(check_number(sound, 0, _MOST_TRACKS)),
            first_s=check_number(header.get("first_s"), -_LONGEST_S, _LONGEST_S),
            unscored_sound_s=check_number(header.get("unscored_sound_s"), 0.0, _LONGEST_S),
        )


def probe(recording: Path | BinaryIO, *, limits: Limits, deadline: float) -> Probe:
    """Return what is known of a video.

    Args:
        recording: The video: a path, or an open file.
        limits: What it may cost.
        deadline: When the answer must be there, by `time.monotonic`.

    Raises:
        VideoError: It is not a video that can be decoded within the limits.
        Interrupted: Something from outside ended the decoding process.
    """
    with open_source(recording) as file:
        check_file(file, limits)
        with DecodeProcess(file, {"what": "describe"}, limits=limits, deadline=deadline) as process:
            found = None
            while (header := process.message()) is not None:
                if header.get("kind") == "failed":
                    raise make_error(header.get("reason"), header.get("numbers"))
                found = Probe.of(header, limits)
    if found is None:
        raise broken_promise_error()
    return found
