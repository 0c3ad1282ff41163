"""Everything that may be wrong in a BAH tree, told at once, and left out where one asks for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from invented_bah import ANNOTATIONS, VIDEOS, Invented, copy_recording

from ah_ray.study.label_errors import FaultyInput

TRAIN = """\
Videos/a/good.mp4,0,fine, as it is
Videos/b/gone.mp4,0,
Videos/c/label.mp4,maybe,
Videos/d/other.mp4,0,
Videos/e/twice.mp4,0,
no video and no label
Videos/e/twice.mp4,0,
Videos/f/silent.mp4,0,
Videos/g/empty.mp4,0,

Videos/h/long.mp4,1,
Videos/i/back.mp4,1,
Videos/j/soon.mp4,1,
Videos/k/both.mp4,0,
Videos/l/object.mp4,1,
Videos/m/unknown.mp4,1,
Videos/n/again.mp4,0,
"""
NOTES = """\
Videos/a/good.mp4: {global_ah: 0}
Videos/b/gone.mp4: {global_ah: 0}
Videos/c/label.mp4: {global_ah: 0}
Videos/d/other.mp4:
  global_ah: 1
  time_detailed_ah: [[0, 1]]
Videos/e/twice.mp4: {global_ah: 0}
Videos/g/empty.mp4: {global_ah: 0}
Videos/h/long.mp4:
  global_ah: 1
  time_detailed_ah:
  - [0, 1]
  - [1, 2.6]
Videos/i/back.mp4:
  global_ah: 1
  time_detailed_ah:
  - !!python/tuple
    - '0:02'
    - '0:01'
Videos/j/soon.mp4: {global_ah: 1, time_detailed_ah: [[0,
    soon]]}
Videos/k/both.mp4:
  global_ah: 0
  time_detailed_ah: [[0, 1]]
Videos/l/object.mp4:
  global_ah: 1
  time_detailed_ah:
  - - !!python/object/apply:os.getcwd []
    - 1
Videos/m/unknown.mp4:
  global_ah: 2
Videos/n/again.mp4: {global_ah: 0}
Videos/o/unsplit.mp4: {global_ah: 0}
Videos/n/again.mp4: {global_ah: 0}
Videos/p/nowhere.mp4: {global_ah: 0}
"""
TOLD = """\
train.txt:2: Videos/b/gone.mp4 is not there; put the video there, or take the line out
train.txt:3: the label 'maybe' is unknown; write 0 or 1
train.txt:4: Videos/d/other.mp4 is 0 here, but global_ah is 1 (NOTES:4); make both the same
train.txt:6: it is not `path,label,transcript`; write one such line per video
train.txt:7: Videos/e/twice.mp4 is listed a second time (first: TRAIN:5); keep one of the lines
train.txt:8: Videos/f/silent.mp4 has no annotation; annotate it, or take the line out
train.txt:9: ROOT/Videos/g/empty.mp4 cannot be used: the file is empty; upload \
the recording again: this is not a whole media file
notes.yaml:13: the interval 1 – 2.6 s is outside the video, which has 2.00 s; correct the \
interval, or check that the video is whole
notes.yaml:17: the interval 0:02 – 0:01 is reversed; write [start, end], the end later
notes.yaml:21: 'soon' is not a time; write seconds or minutes:seconds
notes.yaml:24: global_ah is 0, but time_detailed_ah marks intervals; take them out, or set \
global_ah to 1
notes.yaml:28: the tag !!python/object/apply:os.getcwd would make an object; write plain values \
(in Python: yaml.safe_dump)
notes.yaml:28: a list of 0 is not a time; write seconds or minutes:seconds
notes.yaml:31: global_ah is '2': an unknown label; write 0 or 1
notes.yaml:33: Videos/o/unsplit.mp4 is in no split; add a line to one, or take it out
notes.yaml:34: Videos/n/again.mp4 is annotated a second time (first: NOTES:32); keep the right one
notes.yaml:35: Videos/p/nowhere.mp4 is no video, nor in a split; add a line to one, or take it out
q.mp4:0: Videos/q/q.mp4 is in no split; add a line to one, or take it out
"""


@pytest.fixture
def wrong(tmp_path, recordings) -> Path:
    """A data set in which everything is wrong once, and one video is good."""
    root = tmp_path / "wrong"
    videos = {line.split(",")[0] for line in TRAIN.split("\n") if "," in line}
    for path in videos | {"Videos/o/unsplit.mp4", "Videos/q/q.mp4"}:
        (root / path).parent.mkdir(parents=True)
        copy_recording(recordings[2.0], root / path)
    (root / "Videos/b/gone.mp4").unlink()
    (root / "Videos/g/empty.mp4").write_bytes(b"")
    (root / "split").mkdir()
    (root / "split/train.txt").write_text(TRAIN)
    (root / "notes.yaml").write_text(NOTES)
    return root


def test_all_that_is_wrong_is_reported_at_once(wrong, faults_of, tmp_path):
    told = TOLD.replace("NOTES", f"{wrong}/notes.yaml").replace("TRAIN", f"{wrong}/split/train.txt")
    expected = told.replace("ROOT", str(wrong)).splitlines()
    found = faults_of(bah=wrong, annotations=wrong / "notes.yaml")
    assert sorted(found) == sorted(expected)
    assert not any((tmp_path / "labels").iterdir()), "nothing was written"


def test_faulty_videos_are_left_out_and_counted(wrong, prepared):
    found = prepared(bah=wrong, annotations=wrong / "notes.yaml", skip_faulty=True)
    assert [row["uri"] for row in found.videos.to_pylist()] == [str(wrong / "Videos/a/good.mp4")]
    assert len(found.skipped) == len(TOLD.splitlines())
    assert found.about["left_out"]["faulty videos"] == len(TOLD.splitlines()) - 1  # one has two


def test_a_leak_is_refused_even_where_faults_are_skipped(bah, prepared, faults_of):
    leak = Invented(participant="90006", split="train", seconds=2.0, label=0, question=7)
    (bah / leak.path).parent.mkdir(parents=True, exist_ok=True)
    copy_recording(bah / VIDEOS[3].path, bah / leak.path)
    with (bah / "split/train.txt").open("a") as file:
        file.write(f"{leak.path},0,hm\n")
    with (bah / ANNOTATIONS).open("a") as file:
        file.write(yaml.dump({leak.path: leak.annotation}))
    (fault,) = faults_of(bah=bah)
    assert "participant 90006 is in train (" in fault and "train.txt:6) and in test (" in fault
    assert fault.endswith("keep all videos of a participant in one split")
    with pytest.raises(FaultyInput, match=r"correct it \(--skip-faulty cannot leave this out\)$"):
        prepared(bah=bah, skip_faulty=True)


def test_with_every_video_left_out_the_reason_is_reported(bah, prepared):
    text = (bah / ANNOTATIONS).read_text()
    (bah / ANNOTATIONS).write_text(re.sub(r"global_ah: \d", "global_ah: x", text))
    with pytest.raises(FaultyInput, match=r"no video is left, .*: 8 faulty videos$") as caught:
        prepared(bah=bah, skip_faulty=True)
    assert len(caught.value.faults) == len(VIDEOS)
