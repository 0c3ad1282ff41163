"""Label Studio: tasks with the model's predictions and people's annotations, and a configuration.

Stretches are labels of the video timeline, which counts frames from 1; `fps` in the data of a task
says how long a frame is. Label Studio knows annotators only as its own users, so a field of each
annotation says whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from ah_ray import storage
from ah_ray.profile import NO, YES
from ah_ray.study.exchange.clean_text import clean_text
from ah_ray.study.exchange.recording import ExportedCohort, Recording
from ah_ray.study.exchange.tiers import (
    BY_MODEL,
    Span,
    Tier,
    label_tiers,
    milliseconds,
    model_tiers,
)
from ah_ray.study.exchange.vocabulary import (
    AGREED,
    ANNOTATOR_CONTROL,
    LABEL_CONTROL,
    VIDEO_CONTROL,
    given_control,
)
from ah_ray.study.links import recording_url

TASKS_FILE, CONFIG_FILE = "tasks.json", "config.xml"
VIDEO = "video"
LOCAL_FILES = "/data/local-files/?d="
"""How Label Studio names files below its LOCAL_FILES_DOCUMENT_ROOT."""
_OF_VIDEO = VIDEO_CONTROL.removeprefix(LABEL_CONTROL)
_DEFAULT_FPS = 25.0
_OF_MODEL = BY_MODEL.strip()
_CONTRASTS = f"{_OF_MODEL}_contrasts"
_COLOURS = ("#c0392b", "#2471a3", "#8e44ad", "#1e8449", "#b9770e", "#5d6d7e")
Fields = dict[str, Any]


def label_studio_files(cohort: ExportedCohort) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of the tasks and of the labelling configuration."""
    tasks = (
        json.dumps(task_of(recording, cohort), ensure_ascii=False)
        for recording in cohort.recordings
    )
    yield TASKS_FILE, ("[\n" + ",\n".join(tasks) + "\n]\n").encode()
    yield CONFIG_FILE, config_of(cohort)


def config_of(cohort: ExportedCohort) -> bytes:
    """Return the labelling configuration: XML, to be pasted into a project's settings."""
    view = ElementTree.Element("View")
    _add(view, "Header", value=f"{cohort.construct}: when, and in the video as a whole?")
    _add(view, "Video", name=VIDEO, value=f"${VIDEO}", framerate="$fps")
    _add_labels(view, LABEL_CONTROL, (YES, NO))
    _add_choices(view, VIDEO_CONTROL, (YES, NO))
    for question in cohort.labelled_questions:
        control = given_control(question.name)
        _add(view, "Header", value=f"{question.name}: when, and in the video as a whole?")
        _add_labels(view, control, question.answers)
        _add_choices(view, control + _OF_VIDEO, question.answers)
    for question in cohort.questions:
        _add(view, "Header", value=f"{question.name} (model)")
        _add_labels(view, question_control(question.name), question.answers)
    if cohort.contrasts:
        _add(view, "Header", value="contrasts")
        _add_labels(view, _CONTRASTS, cohort.contrasts)
    _add(view, "Header", value="annotator")
    _add(
        view, "TextArea", name=ANNOTATOR_CONTROL, toName=VIDEO, maxSubmissions="1", editable="true"
    )
    ElementTree.indent(view)
    text: bytes = ElementTree.tostring(view, encoding="UTF-8")
    return text + b"\n"


def task_of(recording: Recording, cohort: ExportedCohort) -> Fields:
    """Return a task: its data, the model's prediction, and an annotation of each annotator."""
    fps = recording.fps or _DEFAULT_FPS
    data = {
        VIDEO: _address(recording),
        "fps": fps,
        "video_id": recording.name,
        "participant": recording.participant,
        "duration_s": recording.duration_s,
    }
    tiers = list(model_tiers(recording, cohort))
    prediction: Fields = {
        "model_version": clean_text(cohort.model),
        "result": [result for tier in tiers for result in _results(tier, fps)],
    }
    if recording.p is not None:
        prediction["score"] = recording.p
    annotations: dict[str | None, list[Fields]] = {}
    for tier in label_tiers(recording, cohort):
        annotations.setdefault(tier.annotator, []).extend(_results(tier, fps))
    return {
        "data": {name: _clean(value) for name, value in data.items() if value is not None},
        "predictions": [prediction] if prediction["result"] else [],
        "annotations": [
            {"result": [*results, _whose(annotator)]}
            for annotator, results in annotations.items()
            if results
        ],
    }


def frame_range(start_ms: int, end_ms: int, fps: float) -> tuple[int, int]:
    """Return the first and the last frame of a stretch, counted from 1."""
    first = round(start_ms * fps / 1000) + 1
    return first, max(first, round(end_ms * fps / 1000))


def range_seconds(first: float, last: float, fps: float) -> tuple[float, float]:
    """Return the start and end of these frames in seconds, to the millisecond."""
    return milliseconds((first - 1) / fps) / 1000, milliseconds(last / fps) / 1000


def _results(tier: Tier, fps: float) -> Iterator[Fields]:
    """Yield regions of a tier. Probabilities are scores of regions, so their tiers have none."""
    for number, span in enumerate(() if tier.is_probability else tier.spans):
        yield _choice(tier, span) if tier.is_of_video else _region(tier, span, number, fps)


def _region(tier: Tier, span: Span, number: int, fps: float) -> Fields:
    control = _control(tier)
    first, last = frame_range(span.start_ms, span.end_ms, fps)
    label = tier.contrast or span.text
    region = {
        "id": f"{tier.contrast or control}-{number}",
        "from_name": control,
        "to_name": VIDEO,
        "type": "timelinelabels",
        "value": {"ranges": [{"start": first, "end": last}], "timelinelabels": [label]},
    }
    return region if span.p is None else region | {"score": span.p}


def _choice(tier: Tier, span: Span) -> Fields:
    control = _control(tier) + _OF_VIDEO
    return {
        "id": control,
        "from_name": control,
        "to_name": VIDEO,
        "type": "choices",
        "value": {"choices": [span.text]},
    }


def _whose(annotator: str | None) -> Fields:
    return {
        "id": ANNOTATOR_CONTROL,
        "from_name": ANNOTATOR_CONTROL,
        "to_name": VIDEO,
        "type": "textarea",
        "value": {"text": [clean_text(annotator or AGREED)]},
    }


def _control(tier: Tier) -> str:
    """Return the name of the control that shows a tier. Predictions are made in people's own."""
    if tier.contrast is not None:
        return _CONTRASTS
    if tier.question is None:
        return LABEL_CONTROL
    return question_control(tier.question) if tier.is_model else given_control(tier.question)


def question_control(question: str) -> str:
    """Return the name of the control that shows a further question's answers."""
    return f"{_OF_MODEL}_{question}"


def _address(recording: Recording) -> str:
    if recording.is_linked and storage.scheme(recording.media) != "file":
        return recording_url(recording.media)
    path = recording.media.lstrip("/")
    return LOCAL_FILES + quote(path, errors="surrogateescape")


def _clean(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value


def _add(parent: ElementTree.Element, tag: str, **fields: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, fields)


def _add_labels(view: ElementTree.Element, name: str, values: Iterable[str]) -> None:
    control = _add(view, "TimelineLabels", name=name, toName=VIDEO)
    for place, value in enumerate(values):
        _add(control, "Label", value=value, background=_COLOURS[place % len(_COLOURS)])


def _add_choices(view: ElementTree.Element, name: str, values: Iterable[str]) -> None:
    control = _add(view, "Choices", name=name, toName=VIDEO, choice="single")
    for value in values:
        _add(control, "Choice", value=value)
