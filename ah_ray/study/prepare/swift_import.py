"""ms-swift's JSONL as labels: an export of ours, read back as it was, or anybody's.

In a file from elsewhere, each video is a clip with one label. Its name identifies the participant,
as BAH names videos or by --participant-pattern. The keys may be `video` and `audio`, as published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from ah_ray import storage
from ah_ray.cohort.identity import video_id_of
from ah_ray.cohort.manifest import resolve_uri
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.profile import load_profile
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.labelled_video import LabelledVideo, Marked
from ah_ray.study.participants import compiled, participant_in
from ah_ray.study.prepare.settings import PrepareSettings
from ah_ray.study.prepare.swift_export import OWN_KEY, SLOTS, split_files
from ah_ray.study.source_files import read_source

_ANSWER = re.compile(r"(?:<answer>)?\s*(yes|no)\s*\.?\s*(?:</answer>)?", re.IGNORECASE)
_HOW_NAMED = "name clips <participant>_Question_…, or give a --participant-pattern that finds it"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwiftLine:
    """One chat that is as it should be."""

    uri: str  # of the clip
    written: str  # as it stands in the file
    label: int
    question: str | None
    own: dict[str, Any] | None  # what our export told of the window
    place: Place


def read_swift(uri: str, faults: Faults) -> list[SwiftLine]:
    """All lines of a file, and of the other splits that an export of ours put beside it."""
    uri = storage.normalise(uri)
    lines: list[SwiftLine] = []
    for number, file in enumerate(split_files(uri).values()):
        if number and not any(line.own for line in lines):
            break  # another's file has nothing beside it
        try:
            data = read_source(file)
        except ObjectMissing as error:
            if number:
                continue
            raise ConfigError(f"--import-swift {uri}: {error}") from None
        except StorageError as error:
            raise ConfigError(f"--import-swift {file} cannot be read: {error}") from None
        lines += _lines(file, data, faults)
    if not lines and not faults.found:
        raise ConfigError(f"--import-swift {uri} holds no line")
    return lines


def _lines(file: str, data: bytes, faults: Faults) -> Iterator[SwiftLine]:
    for number, text in enumerate(data.decode("utf-8-sig", "replace").split("\n"), 1):
        if not text.strip():
            continue
        place = Place(file=file, line=number)
        try:
            fields = json.loads(text)
            yield _line(fields if isinstance(fields, dict) else {}, file, place)
        except json.JSONDecodeError as error:
            problem = f"it is not JSON: {error.msg}"
            faults.add(place, problem, "write one object per line", video=str(place))
        except ConfigError as error:
            faults.add_error(place, error, video=str(place), remedy="correct the line")


def _line(fields: dict[str, Any], file: str, place: Place) -> SwiftLine:
    seen = fields.get("videos", fields.get("video"))
    seen = [seen] if isinstance(seen, str) else seen
    if not (isinstance(seen, list) and len(seen) == 1 and isinstance(seen[0], str)):
        raise ConfigError('`videos` does not name one video; write `"videos": ["clip.mp4"]`')
    messages = fields.get("messages")
    said = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    answer = next((one.get("content") for one in reversed(said) if one.get("role") == "assistant"),
                  fields.get("solution"))  # fmt: skip
    found = _ANSWER.fullmatch(answer.strip()) if isinstance(answer, str) else None
    if not found:
        raise ConfigError(f"the answer {answer!r} is unknown; write <answer>Yes</answer> or No")
    own = fields.get(OWN_KEY)
    return SwiftLine(
        uri=resolve_uri(seen[0], storage.parent(file)),
        written=seen[0],
        label=int(found[1].lower() == "yes"),
        question=_question(said),
        own=own if isinstance(own, dict) else None,
        place=place,
    )


def _question(said: list[dict[str, Any]]) -> str | None:
    """None for the prompt of profile `seed`: is it A/H."""
    asked = next((one.get("content") for one in said if one.get("role") == "user"), None)
    if not isinstance(asked, str) or asked.strip() == _seed_prompt():
        return None
    return asked.removeprefix("".join(SLOTS)).strip() or None


@cache
def _seed_prompt() -> str:
    return load_profile("seed").user.strip()


def as_videos(
    lines: list[SwiftLine], settings: PrepareSettings, id_key: bytes | None, faults: Faults
) -> list[LabelledVideo]:
    """Each clip of another's file as a video of its own; their splits are to be drawn."""
    pattern = compiled(settings.participant_pattern)
    root = settings.videos and storage.as_folder(storage.normalise(settings.videos))
    clips: dict[str, list[SwiftLine]] = {}
    for line in lines:
        before = [one for one in clips.get(line.uri, ()) if one.question == line.question]
        if before:
            problem = f"{line.written} is listed a second time (first: line {before[0].place.line})"
            faults.add(line.place, problem, "keep one of the lines", video=line.uri)
        clips.setdefault(line.uri, []).append(line)
    videos = []
    for uri, found in clips.items():
        first = found[0]
        key = uri.removeprefix(root) if root else first.written
        participant = participant_in(
            key.lstrip("/") if pattern else key.rpartition("/")[2], pattern
        )
        if participant is None:
            problem = f"{first.written} does not tell whose it is"
            faults.add(first.place, problem, _HOW_NAMED, video=uri)
        if faults.concern(uri) or participant is None:
            continue
        labels = [line.label for line in found if line.question is None]
        videos.append(
            LabelledVideo(
                uri=uri,
                video_id=video_id_of(key, id_key),
                label=max(labels) if labels else None,
                participant=participant,
                split=None,
                marked=tuple(_whole(line) for line in found),
                place=first.place,
            )
        )
    return videos


def _whole(line: SwiftLine) -> Marked:
    return Marked(
        start_s=0.0, end_s=None, label=line.label, question=line.question, place=line.place
    )
