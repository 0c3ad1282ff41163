"""Outputs whose videos are real files, with invented scores: what a review is cut from."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from invented_rows import Probabilities, name_of, row, scoring

from ah_ray import storage
from ah_ray.config import Reduction
from ah_ray.output.config import claim_output
from ah_ray.output.row_files import commit_row
from ah_ray.output.tables import write_tables


def score_invented(
    out: object, videos: Mapping[str, tuple[object, Probabilities]], *, hide_uris: bool = False
) -> None:
    """An output of video_id → (its file, the scores of its clips of 5 s)."""
    claim_output(str(out), scoring(), Reduction(), hide_uris=hide_uris)
    rows = []
    for video_id, (uri, p_ah) in videos.items():
        entry = storage.stat(str(uri))
        made = row(video_id, p_ah, etag=entry.etag, uri=str(uri), hide_uris=hide_uris)
        rows.append(made | {"size_bytes": entry.size_bytes})
    for made in rows:
        commit_row(str(out), made, stale=())
    write_tables(str(out), map(name_of, rows))


def read_sheet(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def answered(sheet: Path, to: Path, reviewer: str, answers: Mapping[tuple[str, str], str]) -> Path:
    """The sheet, filled in: (video_id, start_s) → answer."""
    rows = read_sheet(sheet)
    for each in rows:
        each["answer"] = answers.get((each["video_id"], each["start_s"]), "")
        each["reviewer"] = reviewer
    return write_rows(to, rows)
