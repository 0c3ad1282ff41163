"""Marks in every form that annotators gave them, in one file or in many."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from invented_bah import ANNOTATIONS, VIDEOS, edit, spans

from ah_ray.study.label_errors import FaultyInput

MARK = "time_detailed_ah:\n  - !!python/tuple\n    - 0.5\n    - 4.0"  # of VIDEOS[5]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[[1, 2, 3]]", "the interval is a list of 3; write [start, end]"),
        ("[1:02]", "the interval is '1:02'; write [start, end]"),
        ("{a: 1}", "time_detailed_ah is a mapping; write a list of [start, end]"),
        ("[[3, 3]]", "the interval 3 – 3 is empty"),
        ("[[-1, 3]]", "'-1' is not a time"),
        ("[[0:70, 1:30]]", "'0:70' is not a time"),
    ],
)
def test_intervals_that_are_none(bah, faults_of, written, told):
    edit(bah / ANNOTATIONS, MARK, f"time_detailed_ah: {written}")
    assert told in faults_of(bah=bah)[0]


@pytest.mark.parametrize(
    "written", ["[[0.5, 4]]", "[0.5, 4]", "[['0:00.5', '0:04']]", "[[00:00:00.500, 4.0]]"]
)
def test_intervals_in_other_forms(bah, prepared, written):
    edit(bah / ANNOTATIONS, MARK, f"time_detailed_ah: {written}")
    assert spans(prepared(bah=bah), VIDEOS[5]) == [(0.5, 4, 1)]


def test_overlapping_marks_each_by_itself_as_published(bah, prepared):
    edit(bah / ANNOTATIONS, MARK, "time_detailed_ah: [[0.5, 4], [3, 6.5]]")
    assert spans(prepared(bah=bah), VIDEOS[5])[0][:2] == (0.5, 5.5)
    found = spans(prepared(bah=bah, overlaps="keep"), VIDEOS[5])
    assert found == [(0.5, 4, 1), (3, 6.5, 1)]


def test_an_ah_video_without_a_mark_has_no_window(bah, prepared):
    edit(bah / ANNOTATIONS, MARK, "time_detailed_ah:")
    found = prepared(bah=bah)
    assert spans(found, VIDEOS[5]) == []
    assert len(found.videos) == len(VIDEOS)
    assert found.about["left_out"]["A/H videos without a marked interval"] == 1


def one_each(bah: Path, folder: Path, name) -> None:
    """Instead of one YAML for all videos, one for each, where `name` puts it."""
    (bah / ANNOTATIONS).unlink()
    for video in VIDEOS:
        path = folder / name(Path(video.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.dump(video.annotation))


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("", lambda path: path.with_suffix(".yaml")),  # beside the video
        ("", lambda path: path.with_name(path.name + ".yml")),
        ("annotations", lambda path: path.with_suffix(".yaml")),
        ("annotations", lambda path: Path(*path.parts[1:]).with_suffix(".yaml")),
        ("annotations", lambda path: path / f"{path.stem}.yml"),  # as transcripts are published
        ("annotations", lambda path: Path(f"{path.stem}.yml")),
    ],
)
def test_one_yaml_for_each_video(bah, prepared, folder, name):
    in_one = prepared(bah=bah)
    one_each(bah, bah / folder, name)
    assert prepared(bah=bah).about["data_fingerprint"] == in_one.about["data_fingerprint"]


def test_of_one_yaml_for_each_video_a_bad_one_is_left_out_alone(bah, prepared, faults_of):
    one_each(bah, bah / "notes", lambda path: path.with_suffix(".yaml"))
    (bah / "notes" / VIDEOS[0].path).with_suffix(".yaml").write_text("global_ah: 1\n  x: [\n")
    (fault,) = faults_of(bah=bah, annotations=bah / "notes")
    assert f"{Path(VIDEOS[0].path).stem}.yaml:2: bad YAML: " in fault
    found = prepared(bah=bah, annotations=bah / "notes", skip_faulty=True)
    assert len(found.videos) == len(VIDEOS) - 1


def test_a_file_that_breaks_off_is_one_fault_that_cannot_be_left_out(bah, faults_of, prepared):
    line = edit(bah / ANNOTATIONS, f"\n{VIDEOS[2].path}:", f"\n {VIDEOS[2].path}:") + 1
    (fault,) = faults_of(bah=bah)
    assert fault.startswith(f"{ANNOTATIONS}:{line}: bad YAML: ")
    with pytest.raises(FaultyInput):
        prepared(bah=bah, skip_faulty=True)
