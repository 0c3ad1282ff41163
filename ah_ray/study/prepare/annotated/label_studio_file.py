"""An export of Label Studio (format JSON): each annotation of a task, with times in seconds.

Stretches are labels of a video's timeline, in frames, or of its sound, in seconds; choices without
a stretch are of the whole video. Predictions are not labels, and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ah_ray.errors import ConfigError
from ah_ray.study.exchange.label_studio import VIDEO, range_seconds
from ah_ray.study.exchange.vocabulary import AGREED, ANNOTATOR_CONTROL, Vocabulary
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.prepare.annotated.coded import Coded, CodedVideo, own_id
from ah_ray.study.prepare.annotated.json_fields import (
    Fields,
    fields_of,
    items_of,
    number_of,
    parse_json,
    text_of,
)

ENDINGS = (".json",)
_OWN_DATA = ("video_id", "participant")
_UPLOADED = "/data/upload/"
_PREFIX = 9  # of an uploaded file: 8 characters and a hyphen


def read_label_studio(
    file: str, data: bytes, vocabulary: Vocabulary, faults: Faults
) -> Iterator[CodedVideo]:
    """Yield what each annotation of a task says. What cannot be used goes to `faults`."""
    place = Place(file=file)
    try:
        tasks = parse_json(data)
        if not isinstance(tasks, list) or not all(isinstance(one, dict) for one in tasks):
            raise ConfigError("it is no list of tasks; export as JSON from Label Studio")
        if any("data" not in one for one in tasks):
            raise ConfigError("its tasks have no `data`; export as JSON, not as JSON-MIN")
    except ConfigError as error:
        faults.add_error(place, error, video=file)
        return
    for number, task in enumerate(tasks, 1):
        name = f"task {text_of(task.get('id')) or number}"
        for at, annotation in enumerate(items_of(task.get("annotations")), 1):
            fields = fields_of(annotation)
            part = f"{name}, annotation {text_of(fields.get('id')) or at}"
            if fields.get("was_cancelled") is True:
                continue
            try:
                yield _video(fields, fields_of(task["data"]), part, vocabulary, place)
            except ConfigError as error:
                faults.add_error(place, error, video=f"{file}\0{part}", part=part)


def _video(
    annotation: Fields, data: Fields, part: str, vocabulary: Vocabulary, place: Place
) -> CodedVideo:
    fps = number_of(data.get("fps")) or vocabulary.fps
    results = [fields_of(one) for one in items_of(annotation.get("result"))]
    annotations = [coded for one in results for coded in _coded(one, fps, place)]
    return CodedVideo(
        media=_media(data),
        video_id=own_id(text_of(data.get("video_id"))),
        annotator=_annotator(annotation, results),
        participant=text_of(data.get("participant")) or None,
        annotations=tuple(annotations),
        tiers=tuple(dict.fromkeys(one.tier for one in annotations)),
        place=place,
        part=part,
    )


def _media(data: Fields) -> tuple[str, ...]:
    """Return the names of a task's recording: `video`, then all that may be a place."""
    others = [text_of(value) for name, value in data.items() if name not in (*_OWN_DATA, VIDEO)]
    places = [text_of(data.get(VIDEO)), *(one for one in others if "/" in one)]
    if not (named := tuple(_file_name(place) for place in places if place)):
        raise ConfigError(f"its data names no recording; name it in `{VIDEO}`")
    return named


def _file_name(address: str) -> str:
    """Return the path that Label Studio's address of a file stands for."""
    parts = urlsplit(address)
    if given := parse_qs(parts.query).get("d"):
        return given[0]
    if parts.path.startswith(_UPLOADED):
        return unquote(parts.path.rpartition("/")[2])[_PREFIX:]
    return address


def _annotator(annotation: Fields, results: list[Fields]) -> str | None:
    """Return whose annotation it is: by the field of our configuration, or as a user."""
    for one in results:
        if one.get("from_name") == ANNOTATOR_CONTROL:
            texts = items_of(fields_of(one.get("value")).get("text"))
            if texts and (name := text_of(texts[0])):
                return None if name == AGREED else name
    user = annotation.get("completed_by")
    if isinstance(user, dict):
        return text_of(user.get("email")) or text_of(user.get("id")) or None
    return f"user {user}" if isinstance(user, int) else text_of(user) or None


def _coded(result: Fields, fps: float | None, place: Place) -> Iterator[Coded]:
    kind, control = text_of(result.get("type")), text_of(result.get("from_name"))
    value = fields_of(result.get("value"))
    if control == ANNOTATOR_CONTROL:
        return
    texts = [text_of(one) for one in items_of(value.get(kind))]
    for start_s, end_s, has_times in _times(value, kind, control, fps):
        for text in texts or [text_of(value.get(kind))]:
            yield Coded(
                tier=control,
                value=text,
                start_s=start_s,
                end_s=end_s,
                place=place,
                has_times=has_times,
            )


def _times(
    value: Fields, kind: str, control: str, fps: float | None
) -> Iterator[tuple[float, float, bool]]:
    """Yield each stretch of a result in seconds; once, without times, if it is of the whole."""
    ranges: list[Any] = items_of(value.get("ranges"))
    if kind == "timelinelabels" or ranges:
        if fps is None:
            raise ConfigError(
                "its stretches are in frames, and nothing says how long a frame is; write "
                "`fps: 25` (or what it is) into --vocabulary"
            )
        for one in map(fields_of, ranges):
            first, last = number_of(one.get("start")), number_of(one.get("end"))
            if first is None or last is None:
                raise ConfigError(f"a stretch of {control!r} has no frames; label it again")
            yield (*range_seconds(first, last, fps), True)
        return
    start_s, end_s = number_of(value.get("start")), number_of(value.get("end"))
    if start_s is None or end_s is None:
        yield 0.0, 0.0, False
    else:
        yield round(start_s, 3), round(end_s, 3), True
