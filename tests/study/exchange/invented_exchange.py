"""An output and a labelled manifest of invented recordings, with names that must not get out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from invented_rows import make_output, scoring, why_profile

from ah_ray.errors import ErrorKind
from ah_ray.study.exchange.export import Exported, export
from ah_ray.study.exchange.settings import export_settings
from ah_ray.study.labelled_manifest import ANSWERS, LABELLED_VIDEOS, WINDOWS, write_labels

SCORES = {"aaaa1": [0.9, 0.2, 0.7], "bbbb2": [0.1, ErrorKind.DECODE], "cccc3": ErrorKind.UNREADABLE}
PARTICIPANT = "Jörg Łuk"
SAID = {"aaaa1": {"participant": PARTICIPANT, "visit": "2026-01-31"}}
KEY = "0123456789abcdef"


def make_scores(folder: Path, scores: Mapping[str, object] = SCORES, **fields: object) -> str:
    """An output whose profile asks further questions and compares two of them."""
    out = str(folder / "scores")
    make_output(out, scores, by=scoring(profile=why_profile()), said=SAID, **fields)
    return out


def mark(annotator: str | None, start_s: float, end_s: float) -> dict:
    times = {"start_s": start_s, "end_s": end_s}
    return {"annotator": annotator, **times, "certainty": None, "cues": []}


def make_labels(
    folder: Path, videos: Mapping[str, dict], answers: Sequence[dict] = (), **about: object
) -> str:
    """A labelled manifest of these videos: what each row has beside its id.

    `answers`: rows of its answers to a profile's questions.
    """
    same = {"duration_s": 15.0, "split": "train", "segments": []}
    rows = [
        {
            "uri": f"/cohort/{name}.mp4",
            "video_id": name,
            "participant_id": f"p-{name}",
            **same,
            **row,
        }
        for name, row in videos.items()
    ]
    out = str(folder / "labels")
    description = {"data_fingerprint": KEY, "pseudonyms": True, **about}
    table = pa.Table.from_pylist(rows, LABELLED_VIDEOS)
    same = {"weight": 1.0, "participant_id": "p", "split": "train"}
    given = pa.Table.from_pylist([{**same, **one} for one in answers], ANSWERS)
    write_labels(out, WINDOWS.empty_table(), table, description, answers=given)
    return out


def run_export(scores: str, tool: str, out: Path, **settings: object) -> Exported:
    return export(export_settings(scores=scores, to=tool, out=str(out), **settings))


def texts_in(folder: Path) -> str:
    """Names and contents of all files."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return "\n".join(
        f"{file.relative_to(folder)}\n{file.read_text(encoding='utf-8-sig')}" for file in files
    )
