"""Cues, certainty, annotators and transcripts of BAH, kept beside the labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from invented_bah import ANNOTATIONS, VIDEOS, Invented, make_bah

from ah_ray.study.labelled_manifest import read_labelled_videos
from ah_ray.study.prepare.bah.annotation_yaml import read_items
from ah_ray.study.prepare.bah.annotators import read_annotated, read_transcript

ANNOTATED = """
all_cues:
- {audio: "long pause", body: null, facial: "frowns", language: "", incons.: "smiles at a sad word"}
- {Voice: yes, Body language: [shrugs, turns away]}
annotator_id: XYZ
certainty_ah: [1, 3]
"""


def fields_of(text: str) -> dict:
    return {item.key: item.value for item in read_items(text.encode())}


def test_cues_and_certainty_of_each_interval():
    found = read_annotated(fields_of(ANNOTATED), 1, [(1.0, 2.0, 1), (4.0, 6.0, 1), (8.0, 9.0, 1)])
    assert (found.annotator, found.label) == ("XYZ", 1)
    assert [(one.start_s, one.end_s, one.certainty) for one in found.intervals] == [
        (1.0, 2.0, "1"), (4.0, 6.0, "3"), (8.0, 9.0, None),
    ]  # fmt: skip
    assert dict(found.intervals[0].cues) == {
        "voice": "long pause", "face": "frowns", "contradiction": "smiles at a sad word",
    }  # fmt: skip
    assert dict(found.intervals[1].cues) == {"voice": None, "body": "shrugs; turns away"}
    assert found.intervals[2].cues == ()


@pytest.mark.parametrize(
    "text",
    ["a: 1", "all_cues: 3", "all_cues: [[], 1]", "all_cues: {smell: x}", "certainty_ah: {a: 1}",
     "annotator_id: [null]", "annotator_id: {a: 1}"],
)  # fmt: skip
def test_what_cannot_be_understood_is_left_out(text):
    (one,) = read_annotated(fields_of(text), 1, [(1.0, 2.0, 1)]).intervals
    assert one.cues == () and one.certainty is None


def test_a_transcript_with_and_without_times():
    text = """
transcript:
  chunks:
  - {language: English, text: " Well, ", timestamp: !!python/tuple [0.0, 2.5]}
  - {text: so, timestamp: [1:02, null]}
  - broken
"""
    found = read_transcript(fields_of(text)["transcript"])
    assert [(one.start_s, one.end_s, one.language, one.text) for one in found] == [
        (0.0, 2.5, "english", " Well, "), (62.0, None, None, "so"),
    ]  # fmt: skip
    assert read_transcript(None) == []


def test_columns_of_a_prepared_tree(bah, prepared, tmp_path):
    (tmp_path / "key").write_text("of sixteen bytes or more")
    found = prepared(bah=bah, id_key=tmp_path / "key")
    rows = {row["uri"]: row for row in read_labelled_videos(found.out).to_pylist()}
    row = rows[str(bah / VIDEOS[0].path)]
    (mark,) = row["marks"]
    assert (mark["start_s"], mark["end_s"], mark["certainty"]) == (1.0, 9.5, "1")
    assert mark["cues"] == [{"cue": "words", "text": "hedging, pauses"}]
    assert row["cues"] == ["words"] and row["transcript"] is None
    assert row["annotators"] == [mark["annotator"]] and "XYZ" not in json.dumps(row)
    text = b"I do not know"
    assert not any(text in path.read_bytes() for path in (tmp_path / "labels").iterdir())
    assert found.about["annotators"] is None, "no video has two"


def test_transcripts_only_where_they_are_asked_for(bah, prepared):
    rows = prepared(bah=bah, with_transcripts=True).videos.to_pylist()
    assert rows[0]["transcript"] == [
        {"start_s": 0.0, "end_s": 2.0, "language": "english",
         "text": " Well, I do not know, to be honest."}
    ] or rows[0]["transcript"][0]["language"] == "french"  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Judged(Invented):
    annotator: str = "A"

    @property
    def annotation(self) -> dict[str, Any]:
        return {**super().annotation, "annotator_id": self.annotator}


def judge(folder: Path, annotator: str, labels: dict[int, int]) -> None:
    """One annotator's own YAML for each of some videos: number → label."""
    for number, label in labels.items():
        video = VIDEOS[number]
        judged = Judged(
            participant=video.participant, split=video.split, seconds=video.seconds, label=label,
            intervals=[(0.5, 1.5)] if label else (), question=video.question, visit=video.visit,
            annotator=annotator,
        )  # fmt: skip
        path = folder / annotator / f"{video.path}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.dump(judged.annotation))


@pytest.fixture
def several(recordings, tmp_path) -> tuple[Path, Path]:
    """Three videos of the tree, whose labels are 1, 0 and 0."""
    tree = make_bah(tmp_path / "bah", recordings, VIDEOS[:3])
    (tree / ANNOTATIONS).unlink()
    return tree, tmp_path / "notes"


def test_the_label_of_most_annotators_and_how_far_they_agree(several, prepared):
    tree, notes = several
    judge(notes, "A", {0: 1, 1: 0, 2: 0})
    judge(notes, "B", {0: 1, 1: 1, 2: 0})
    judge(notes, "C", {0: 0, 1: 0, 2: 0})
    found = prepared(bah=tree, annotations=notes)
    rows = {row["uri"]: row for row in found.videos.to_pylist()}
    assert [rows[str(tree / video.path)]["label"] for video in VIDEOS[:3]] == [1, 0, 0]
    first = rows[str(tree / VIDEOS[0].path)]
    assert first["annotators"] == ["A", "B", "C"] and len(first["marks"]) == 2
    assert first["segments"] == [{"start_s": 0.5, "end_s": 1.5}]
    about = found.about["annotators"]
    assert (about["annotators"], about["videos_of_several"], about["unanimous"]) == (3, 3, 1)
    # A and B: 2 of 3 the same, by chance 1/3·2/3 + 2/3·1/3; A and C alike
    assert [pair["same"] for pair in about["pairs"]] == [2, 2, 1]
    assert about["fleiss_kappa"] == pytest.approx((5 / 9 - (4 / 9 + 1 / 9)) / (4 / 9))


def test_a_tie_is_a_fault(several, faults_of):
    tree, notes = several
    judge(notes, "A", {0: 1, 1: 0, 2: 0})
    judge(notes, "B", {0: 0})
    with (tree / "split/train.txt").open() as file:
        assert file.readline().startswith(f"{VIDEOS[0].path},1,")
    (fault,) = [one for one in faults_of(bah=tree, annotations=notes) if "as many" in one]
    assert "is A/H to as many annotators as it is not; let one more annotator decide" in fault


def test_one_annotator_twice_is_a_fault(several, faults_of):
    tree, notes = several
    judge(notes, "A", {0: 1, 1: 0, 2: 0})
    twice = notes / "again" / f"{VIDEOS[0].path}.yaml"
    twice.parent.mkdir(parents=True)
    twice.write_text((notes / "A" / f"{VIDEOS[0].path}.yaml").read_text())
    assert any(
        "is annotated a second time" in one for one in faults_of(bah=tree, annotations=notes)
    )
