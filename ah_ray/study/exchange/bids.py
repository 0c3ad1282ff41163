"""BIDS: events of each recording under `beh/`, with the descriptions that the standard asks for.

The standard (1.10) has no data type for recordings of picture and sound, so the files describe
events alone: it is a derivative dataset whose recordings stay where they are. Which file is about
which recording is in `sourcedata/`, whose content the standard leaves open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ah_ray.study.exchange.clean_text import Cell, clean_text, write_tsv
from ah_ray.study.exchange.recording import ExportedCohort, Recording
from ah_ray.study.exchange.tiers import OF_VIDEO, Tier, label_tiers, model_tiers

VERSION = "1.10.0"
TASK = "recording"
_NONE = "n/a"
_EVENTS = ("onset", "duration", "trial_type", "source", "annotator", "answer", "value")
_NOT_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]")
Fields = dict[str, Any]


def bids_files(cohort: ExportedCohort) -> Iterator[tuple[str, bytes]]:
    """Yield the path and content of each file."""
    yield "dataset_description.json", _json(_description(cohort))
    yield "README", _readme(cohort).encode()
    subjects = _subjects(cohort)
    people = {
        subject: recording.participant
        for recording, subject in zip(cohort.recordings, subjects, strict=True)
    }
    shown = sorted((f"sub-{subject}", name) for subject, name in people.items())
    yield "participants.tsv", write_tsv(("participant_id", "participant"), shown, none=_NONE)
    yield "participants.json", _json({"participant": {"Description": "Name in the export."}})
    yield f"task-{TASK}_events.json", _json(_sidecar(cohort))
    places = []
    n_runs: dict[str, int] = {}
    for recording, subject in zip(cohort.recordings, subjects, strict=True):
        n_runs[subject] = run = n_runs.get(subject, 0) + 1
        path = f"sub-{subject}/beh/sub-{subject}_task-{TASK}_run-{run:02d}_events.tsv"
        places.append((path, recording.name, recording.media, recording.duration_s))
        yield path, write_tsv(_EVENTS, _events(recording, cohort), none=_NONE)
    columns = ("file", "video_id", "recording", "duration_s")
    yield "sourcedata/recordings.tsv", write_tsv(columns, places, none=_NONE)


def _description(cohort: ExportedCohort) -> Fields:
    name, _, version = cohort.made_by.partition(" ")
    return {
        "Name": f"{cohort.construct} in recordings",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {"Name": name, "Version": version, "Description": f"model {clean_text(cohort.model)}"}
        ],
    }


def _readme(cohort: ExportedCohort) -> str:
    return (
        f"Events in {len(cohort.recordings):,} recordings: what a model answered about each clip "
        f"({cohort.construct}), and what people marked.\n"
        "`source` says whether the model or people said it. An event without `annotator` is what "
        "all annotators agreed on.\n"
        f"Made by {cohort.made_by}. Scores are an aid for screening and research, not a "
        "diagnosis.\n"
    )


def _subjects(cohort: ExportedCohort) -> list[str]:
    """Return the label of each recording's participant: letters and digits, each person's own."""
    label_of: dict[str, str] = {}
    taken: set[str] = set()
    labels = []
    for recording in cohort.recordings:
        name = recording.participant or recording.name
        if name not in label_of:
            plain = _NOT_ALPHANUMERIC.sub("", name) or "x"
            number = 1
            label = plain
            while label.casefold() in taken:
                number += 1
                label = f"{plain}x{number}"
            taken.add(label.casefold())
            label_of[name] = label
        labels.append(label_of[name])
    return labels


def _events(recording: Recording, cohort: ExportedCohort) -> list[tuple[Cell, ...]]:
    tiers = (*model_tiers(recording, cohort), *label_tiers(recording, cohort))
    rows = [row for tier in tiers if not tier.is_probability for row in _tier_events(tier, cohort)]
    return sorted(rows, key=lambda row: (row[0], row[1], row[2], row[4] or ""))


def _tier_events(tier: Tier, cohort: ExportedCohort) -> Iterator[tuple[Any, ...]]:
    what = tier.question or tier.contrast or cohort.construct
    kind = what + OF_VIDEO if tier.is_of_video else what
    source = "model" if tier.is_model else "people"
    for span in tier.spans:
        start_s, seconds = span.start_ms / 1000, (span.end_ms - span.start_ms) / 1000
        answer = span.text if tier.values else None
        p = span.p if span.p is None else round(span.p, 6)
        yield (start_s, seconds, kind, source, tier.annotator, answer, p)


def _sidecar(cohort: ExportedCohort) -> Fields:
    what = {
        cohort.construct: "Whether there is any in this stretch.",
        cohort.construct + OF_VIDEO: "Whether there is any in the recording.",
        **{one.name: "A question." for one in cohort.labelled_questions},
        **{one.name + OF_VIDEO: "In the recording." for one in cohort.labelled_questions},
        **{one.name: f"A question, answered {_list(one.answers)}." for one in cohort.questions},
        **dict.fromkeys(cohort.contrasts, "How differently two questions were answered."),
    }
    return {
        "TaskName": TASK,
        "onset": {"Description": "Start, from the first picture of the recording.", "Units": "s"},
        "duration": {"Description": "Length.", "Units": "s"},
        "trial_type": {"Description": "What is answered.", "Levels": what},
        "source": {
            "Description": "Who answered.",
            "Levels": {"model": clean_text(cohort.model), "people": "Annotators."},
        },
        "annotator": {"Description": "Whose answer it is; n/a: the model's, or all people's."},
        "answer": {"Description": f"Of a contrast {_NONE}, else one of the answers."},
        "value": {"Description": "Probability of the answer, or size of the contrast, 0 to 1."},
    }


def _list(answers: tuple[str, ...]) -> str:
    return " or ".join(clean_text(answer) for answer in answers)


def _json(fields: Fields) -> bytes:
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()
