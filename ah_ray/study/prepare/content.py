"""Which files hold the same bytes: a short text for each content, and what may not be the same.

A recording that lies in two folders, under two names, is one recording. Under two participants it
would be in training and in test; with two labels, one of them is wrong.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import BinaryIO

from ah_ray.cohort.participant_names import normal_form
from ah_ray.study.label_errors import Faults
from ah_ray.study.labelled_video import LabelledVideo

_BLOCK_BYTES, _BLOCKS = 1 << 16, 16


def content_of(file: BinaryIO) -> str:
    """Return 32 hex digits of a file's size and of 16 blocks of 64 KiB, evenly spread over it.

    Files of up to 1 MiB are read whole. Two recordings that agree in all of that are the same.
    """
    size = file.seek(0, os.SEEK_END)
    digest = hashlib.sha256(f"{size}\0".encode())
    if size <= _BLOCK_BYTES * _BLOCKS:
        starts = list(range(0, size, _BLOCK_BYTES))
    else:
        step = (size - _BLOCK_BYTES) / (_BLOCKS - 1)
        starts = [round(number * step) for number in range(_BLOCKS)]
    for start in starts:
        file.seek(start)
        digest.update(file.read(_BLOCK_BYTES))
    file.seek(0)
    return digest.hexdigest()[:32]


def check_contents(videos: Sequence[LabelledVideo], faults: Faults) -> None:
    """Add a fault for the same bytes under two participants, or with two labels.

    Where faults are skipped, every video of that content is left out: which is right is not known.
    """
    by_content: dict[str, list[LabelledVideo]] = {}
    for video in videos:
        if video.content is not None:
            by_content.setdefault(video.content, []).append(video)
    for first, *others in by_content.values():
        for other in others:
            if (difference := _difference(first, other)) is None:
                continue
            problem = f"{other.uri} has the same bytes as {first.uri} ({first.place}), {difference}"
            remedy = "keep the right one, and take the other out"
            faults.add(other.place, problem, remedy, video=other.uri)
            faults.videos |= {first.uri, *(each.uri for each in others)}
            break


def _difference(first: LabelledVideo, other: LabelledVideo) -> str | None:
    if normal_form(first.participant) != normal_form(other.participant):
        return f"but is of participant {other.participant} instead of {first.participant}"
    if None not in (first.label, other.label) and first.label != other.label:
        return f"but has the label {other.label} instead of {first.label}"
    return None
