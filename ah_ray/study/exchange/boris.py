"""BORIS: one project (format 7.0, of BORIS 7 and 8) with all recordings.

An observation holds what one annotator, or the model, says of one recording: state events for
stretches, whose answer is a modifier, and a point event at its beginning for the whole recording.
Two states of one behaviour cannot overlap, so what does is in a further observation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from ah_ray.study.exchange.clean_text import clean_text
from ah_ray.study.exchange.recording import ExportedCohort, Recording
from ah_ray.study.exchange.tiers import (
    BY,
    BY_MODEL,
    Tier,
    label_tiers,
    layer_name,
    model_tiers,
    split_layers,
)

PROJECT_FILE = "project.boris"
FORMAT_VERSION = "7.0"
STATE, POINT = "State event", "Point event"
ANNOTATOR, VIDEO_ID = "annotator", "video_id"
_FORBIDDEN = str.maketrans(dict.fromkeys("(|),`~", "_"))
"""Characters that BORIS does not take in modifiers."""
_SINGLE_CHOICE, _NUMBER = 0, 2
_NO_FRAME = "NA"
Fields = dict[str, Any]


def boris_files(cohort: ExportedCohort) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of the project."""
    project = json.dumps(project_of(cohort), indent=1, ensure_ascii=False)
    yield PROJECT_FILE, project.encode()


def project_of(cohort: ExportedCohort) -> Fields:
    """Return the project as BORIS writes it."""
    observations: dict[tuple[str, str, int], Fields] = {}
    tiers: dict[str, Tier] = {}
    for recording in cohort.recordings:
        for tier, layered in _observed(recording, cohort):
            tiers.setdefault(tier.kind, tier)
            for number, events in enumerate(layered):
                key = (recording.name, _observer(tier), number)
                if key not in observations:
                    observations[key] = _observation(recording, cohort, tier.annotator)
                observations[key]["events"] += events
    for observation in observations.values():
        observation["events"].sort(key=lambda event: event[:5])
    people = sorted({one.participant for one in cohort.recordings if one.participant})
    return {
        "time_format": "hh:mm:ss",
        "project_date": _date(cohort),
        "project_name": f"{cohort.construct}: {len(cohort.recordings):,} recordings",
        "project_description": f"{cohort.made_by}, model {clean_text(cohort.model)}",
        "project_format_version": FORMAT_VERSION,
        "subjects_conf": {
            str(number): {"key": "", "name": clean_text(name), "description": ""}
            for number, name in enumerate(people)
        },
        "behaviors_conf": {
            str(number): _behaviour(tier) for number, tier in enumerate(tiers.values())
        },
        "observations": dict(zip(_name_all(observations), observations.values(), strict=True)),
        "behavioral_categories": [],
        "independent_variables": {
            str(number): {
                "label": label,
                "description": description,
                "type": "text",
                "default value": "",
                "possible values": "",
            }
            for number, (label, description) in enumerate(_VARIABLES.items())
        },
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }


def _name_all(keys: Iterable[tuple[str, str, int]]) -> Iterator[str]:
    """Yield a name for each observation, which no other has."""
    taken: set[str] = set()
    for recording, observer, layer in keys:
        names = (clean_text(layer_name(recording + observer, n)) for n in count(layer))
        taken.add(name := next(name for name in names if name not in taken))
        yield name


_VARIABLES = {ANNOTATOR: "who annotated the recording", VIDEO_ID: "pseudonym of the recording"}


def _observed(
    recording: Recording, cohort: ExportedCohort
) -> Iterator[tuple[Tier, list[list[list[Any]]]]]:
    """Yield each tier with its events, layer by layer. Comments hold probabilities."""
    for tier in (*label_tiers(recording, cohort), *model_tiers(recording, cohort)):
        if not tier.is_probability:
            layers = split_layers(tier.spans) or [()]
            yield tier, [list(_events(tier, spans, recording)) for spans in layers]


def _events(tier: Tier, spans: Iterable[Any], recording: Recording) -> Iterator[list[Any]]:
    subject = clean_text(recording.participant or "")
    for span in spans:
        modifier = clean_text(span.text).translate(_FORBIDDEN)
        comment = "" if span.p is None or not tier.values else f"p {span.p:.3f}"
        times = [span.start_ms] if tier.is_of_video else [span.start_ms, span.end_ms]
        for time_ms, note in zip(times, (comment, ""), strict=False):
            yield [time_ms / 1000, subject, tier.kind, modifier, note, _NO_FRAME]


def _observer(tier: Tier) -> str:
    if tier.is_model:
        return f" {BY_MODEL.strip()}"
    return "" if tier.annotator is None else f" {BY}{tier.annotator}"


def _observation(recording: Recording, cohort: ExportedCohort, annotator: str | None) -> Fields:
    media = clean_text(recording.media)
    known_fps = {} if recording.fps is None else {media: recording.fps}
    return {
        "file": {"1": [media], **{str(player): [] for player in range(2, 9)}},
        "type": "MEDIA",
        "date": _date(cohort),
        "description": "",
        "time offset": 0.0,
        "events": [],
        "observation time interval": [0, 0],
        "independent_variables": {
            ANNOTATOR: clean_text(annotator or ""),
            VIDEO_ID: recording.name,
        },
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "media_creation_date_as_offset": False,
        "media_scan_sampling_duration": 0,
        "image_display_duration": 1,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {media: recording.duration_s or 0.0},
            "fps": known_fps,
            "hasVideo": {media: True},
            "hasAudio": {media: True},
            "offset": {"1": 0.0},
        },
    }


def _behaviour(tier: Tier) -> Fields:
    kind = _SINGLE_CHOICE if tier.values else _NUMBER
    values = [value.translate(_FORBIDDEN) for value in tier.values]
    return {
        "type": POINT if tier.is_of_video else STATE,
        "key": "",
        "code": clean_text(tier.kind),
        "description": "",
        "color": "",
        "category": "",
        "modifiers": {
            "0": {
                "name": "answer" if tier.values else "value",
                "description": "",
                "type": kind,
                "ask at stop": False,
                "values": values,
            }
        },
        "excluded": "",
        "coding map": "",
    }


def _date(cohort: ExportedCohort) -> str:
    return cohort.scored_at.replace(microsecond=0, tzinfo=None).isoformat()
