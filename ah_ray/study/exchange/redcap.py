"""REDCap: a file for its data import, and the data dictionary of the fields.

A record is a participant, or a recording whose participant is not known. Recordings, clips and
annotations are three repeating instruments; a project has to name them as such before the import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ah_ray.output.row import STATUSES
from ah_ray.profile import NO, YES, answer_word
from ah_ray.study.exchange.clean_text import Cell, clean_text, write_csv
from ah_ray.study.exchange.recording import ExportedClip, ExportedCohort, Recording

DATA_FILE, DICTIONARY_FILE = "data.csv", "data_dictionary.csv"
RECORD = "record_id"
DICTIONARY_COLUMNS = (
    *("Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label"),
    *("Choices, Calculations, OR Slider Labels", "Field Note"),
    *("Text Validation Type OR Show Slider Number", "Text Validation Min", "Text Validation Max"),
    *("Identifier?", "Branching Logic (Show field only if...)", "Required Field?"),
    *("Custom Alignment", "Question Number (surveys only)", "Matrix Group Name"),
    *("Matrix Ranking?", "Field Annotation"),
)
_REPEAT = ("redcap_repeat_instrument", "redcap_repeat_instance")
_PARTICIPANT, _RECORDING, _CLIP, _ANNOTATION = "participant", "recording", "clip", "annotation"
_LONGEST_NAME = 100
_YES_NO = (YES, NO)
_CODES = {YES: 1, NO: 0}
_IN_CHOICES = re.compile(r"[|\r\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    form: str
    label: str
    choices: tuple[str, ...] = ()
    is_number: bool = False
    is_share: bool = False  # between 0 and 1
    is_identifier: bool = False

    def row(self) -> tuple[Cell, ...]:
        """Return the field's line in the dictionary."""
        codes = _codes(self.choices)
        listed = (f"{codes[one]}, {_IN_CHOICES.sub(' ', clean_text(one))}" for one in self.choices)
        number = "number" if self.is_number or self.is_share else None
        bounds: tuple[Cell, Cell] = (0, 1) if self.is_share else (None, None)
        identifier = "y" if self.is_identifier else None
        return (
            *(self.name, self.form, None, "radio" if self.choices else "text", self.label),
            *(" | ".join(listed) or None, None, number, *bounds, identifier),
            *(None,) * 7,
        )


def redcap_files(cohort: ExportedCohort) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of both files."""
    fields = _fields(cohort)
    yield DICTIONARY_FILE, write_csv(DICTIONARY_COLUMNS, (one.row() for one in fields))
    columns = (RECORD, *_REPEAT, *(one.name for one in fields if one.name != RECORD))
    rows = ([row.get(name) for name in columns] for row in _rows(cohort))
    yield DATA_FILE, write_csv(columns, rows)


def _fields(cohort: ExportedCohort) -> list[_Field]:
    what = cohort.construct
    names = _further_names(cohort)
    return [
        _Field(name=RECORD, form=_PARTICIPANT, label="Participant", is_identifier=True),
        _Field(name="rec_video_id", form=_RECORDING, label="Recording"),
        _Field(name="rec_media", form=_RECORDING, label="File", is_identifier=True),
        _Field(name="rec_visit", form=_RECORDING, label="Visit", is_identifier=True),
        _Field(name="rec_status", form=_RECORDING, label="Status", choices=STATUSES),
        _Field(name="rec_problem", form=_RECORDING, label="Why it has no score"),
        _Field(name="rec_duration_s", form=_RECORDING, label="Length (s)", is_number=True),
        _Field(name="rec_p", form=_RECORDING, label=f"P({what})", is_share=True),
        _Field(name="rec_answer", form=_RECORDING, label=f"{what} (model)", choices=_YES_NO),
        _Field(name="rec_label", form=_RECORDING, label=f"{what} (people)", choices=_YES_NO),
        _Field(name="clip_video_id", form=_CLIP, label="Recording"),
        _Field(name="clip_start_s", form=_CLIP, label="Start (s)", is_number=True),
        _Field(name="clip_end_s", form=_CLIP, label="End (s)", is_number=True),
        _Field(name="clip_p", form=_CLIP, label=f"P({what})", is_share=True),
        _Field(name="clip_answer", form=_CLIP, label=f"{what} (model)", choices=_YES_NO),
        *(
            field
            for one in cohort.questions
            for field in (
                _Field(name=names[one.name], form=_CLIP, label=one.name, choices=one.answers),
                _Field(
                    name=f"{names[one.name]}_p", form=_CLIP, label=f"P({one.name})", is_share=True
                ),
            )
        ),
        *(
            _Field(name=names[one, "contrast"], form=_CLIP, label=one, is_share=True)
            for one in cohort.contrasts
        ),
        _Field(name="ann_video_id", form=_ANNOTATION, label="Recording"),
        _Field(name="ann_annotator", form=_ANNOTATION, label="Annotator"),
        _Field(name="ann_start_s", form=_ANNOTATION, label="Start (s)", is_number=True),
        _Field(name="ann_end_s", form=_ANNOTATION, label="End (s)", is_number=True),
        _Field(name="ann_answer", form=_ANNOTATION, label=what, choices=_YES_NO),
    ]


def _further_names(cohort: ExportedCohort) -> dict[str | tuple[str, str], str]:
    """Return a field's name for each further question and contrast: lower case, each its own."""
    found: dict[str | tuple[str, str], str] = {}
    taken: set[str] = set()
    wanted: list[tuple[str | tuple[str, str], str, str]] = [
        *((one.name, "clip_q_", one.name) for one in cohort.questions),
        *(((name, "contrast"), "clip_c_", name) for name in cohort.contrasts),
    ]
    for key, prefix, name in wanted:
        plain = prefix + re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        field, number = plain[:_LONGEST_NAME], 1
        while {field, f"{field}_p"} & taken:
            number += 1
            field = f"{plain}_{number}"
        taken |= {field, f"{field}_p"}
        found[key] = field
    return found


def _rows(cohort: ExportedCohort) -> Iterator[Mapping[str, Cell]]:
    names = _further_names(cohort)
    n_before: dict[tuple[str, str], int] = {}

    def row(record: str, form: str, values: dict[str, Cell]) -> dict[str, Cell]:
        n_before[record, form] = n_before.get((record, form), 0) + 1
        return {RECORD: record, _REPEAT[0]: form, _REPEAT[1]: n_before[record, form], **values}

    by_record: dict[str, list[Recording]] = {}
    for recording in cohort.recordings:
        by_record.setdefault(recording.participant or recording.name, []).append(recording)
    for record, recordings in by_record.items():
        yield {RECORD: record}
        for one in recordings:
            yield row(record, _RECORDING, _recording_values(one))
        for one in recordings:
            for clip in one.clips:
                yield row(record, _CLIP, _clip_values(one, clip, cohort, names))
        for one in recordings:
            for values in _annotation_values(one):
                yield row(record, _ANNOTATION, values)


def _recording_values(one: Recording) -> dict[str, Cell]:
    label = one.labels[0].label if one.labels else None
    return {
        "rec_video_id": one.name,
        "rec_media": one.media,
        "rec_visit": one.visit,
        "rec_status": _codes(STATUSES)[one.status],
        "rec_problem": one.error_kind,
        "rec_duration_s": one.duration_s,
        "rec_p": one.p,
        "rec_answer": _code(one.answer, _YES_NO),
        "rec_label": label,
    }


def _clip_values(
    recording: Recording,
    clip: ExportedClip,
    cohort: ExportedCohort,
    names: Mapping[str | tuple[str, str], str],
) -> dict[str, Cell]:
    values: dict[str, Cell] = {
        "clip_video_id": recording.name,
        "clip_start_s": clip.start_s,
        "clip_end_s": clip.end_s,
        "clip_p": clip.p,
        "clip_answer": _code(clip.answer, _YES_NO),
    }
    for question in cohort.questions:
        if question.name in clip.further:
            answer, p = clip.further[question.name]
            values[names[question.name]] = _code(answer, question.answers)
            values[f"{names[question.name]}_p"] = p
    for contrast, distance in clip.contrasts.items():
        values[names[contrast, "contrast"]] = distance
    return values


def _annotation_values(recording: Recording) -> Iterator[dict[str, Cell]]:
    for one in recording.labels:
        who: dict[str, Cell] = {
            "ann_video_id": recording.name,
            "ann_annotator": one.annotator,
        }
        if one.label is not None:
            yield {**who, "ann_answer": _CODES[answer_word(bool(one.label))]}
        for start_s, end_s in one.marks:
            times: dict[str, Cell] = {"ann_start_s": start_s, "ann_end_s": end_s}
            yield {**who, **times, "ann_answer": _CODES[YES]}


def _codes(choices: Sequence[str]) -> dict[str, int]:
    """Return the number that stands for each choice: 1 and 0 for Yes and No, else from 1."""
    if tuple(choices) == _YES_NO:
        return _CODES
    return {one: number for number, one in enumerate(choices, 1)}


def _code(answer: str | None, choices: Sequence[str]) -> int | None:
    return None if answer is None else _codes(choices)[answer]
