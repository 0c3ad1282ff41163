"""The packets of a picture track: when each is shown, which are key frames, what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ah_ray.config import Limits
from ah_ray.media.decode_process import DecodeProcess, broken_promise_error, check_number
from ah_ray.media.frames import most_frames
from ah_ray.media.messages import DISCARDED, KEY, NO_PTS, make_error
from ah_ray.media.sandbox.open_files import open_source

_LONGEST_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Packets:
    """The packets of a file's pictures, in the order in which they are decoded."""

    may_be_copied: bool  # into an mp4 that browsers play
    times_s: np.ndarray  # [N] float64: when each is shown, from where the file begins
    is_key: np.ndarray  # [N] bool
    is_shown: np.ndarray  # [N] bool: False where an edit list hides it
    contents: tuple[tuple[int, int], ...]  # [N] size in bytes and CRC-32


def list_packets(source: Path | BinaryIO, *, limits: Limits, deadline: float) -> Packets:
    """Return all packets of the picture, which are read in the decoding process.

    Raises:
        VideoError: `decode` if they cannot be read, `refused` if there are more than the limits
            allow, `timeout` at the deadline.
    """
    with open_source(source) as file:
        plan = {"what": "packets"}
        with DecodeProcess(file, plan, limits=limits, deadline=deadline) as process:
            header = process.message()
            if header is None or header.get("kind") not in ("packets", "failed"):
                raise broken_promise_error()
            if header["kind"] == "failed":
                raise make_error(header.get("reason"), header.get("numbers"))
            count = int(check_number(header.get("n_packets"), 0, most_frames(limits)))
            columns = [process.array((count,), np.int64) for _ in range(4)]
    return check_packets(header, *columns)


def check_packets(
    header: dict[str, Any],
    ticks: np.ndarray,
    sizes: np.ndarray,
    sums: np.ndarray,
    flags: np.ndarray,
) -> Packets:
    """Return the packets of a message of the decoding process, `[N] int64` each.

    Raises:
        VideoError: It cannot be true.
    """
    tick_s = check_number(header.get("tick_s"), 0.0, _LONGEST_S)
    start_s = check_number(header.get("start_s"), -_LONGEST_S, _LONGEST_S)
    return Packets(
        may_be_copied=header.get("codec") == "h264"
        and header.get("pixel_format") in ("yuv420p", "yuvj420p")
        and header.get("sound_codec") in (None, "aac", "mp3")
        and not (ticks == NO_PTS).any(),
        times_s=ticks * tick_s - start_s,
        is_key=(flags & KEY) > 0,
        is_shown=(flags & DISCARDED) == 0,
        contents=tuple(zip(sizes.tolist(), sums.tolist(), strict=True)),
    )
