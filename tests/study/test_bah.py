"""BAH as it is published (with invented people), and everything that may be wrong in it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from invented_bah import ANNOTATIONS, PEOPLE, VIDEOS, Invented, edit

from ah_ray.cohort import open_cohort
from ah_ray.errors import ConfigError
from ah_ray.study.faults import FaultyInput
from ah_ray.study.participants import pseudonym

FIRST, FACE = VIDEOS[0], VIDEOS[1]


def rows(table):
    return table.to_pylist()


def spans(prepared, video: Invented):
    """(start, end, label) of the windows of one video."""
    return [
        (row["start_s"], row["end_s"], row["label"])
        for row in rows(prepared.windows)
        if row["uri"].endswith(video.path)
    ]


def test_windows_and_labels_by_hand(bah, prepared):
    found = prepared(bah=bah)
    assert [spans(found, video) for video in VIDEOS] == [
        [(1, 6, 1), (6, 9.5, 1)],
        [(0, 5, 0), (5, 10, 0)],
        [(0, 5, 0), (5, 10, 0)],
        [(0, 2, 0)],
        [(2, 3.5, 1), (6, 11, 1)],
        [(0.5, 4, 1)],
        [(0, 5, 0), (5, 10, 0)],
        [(1, 6, 1)],  # two marks that overlap are one, from 1 to 6.5
    ]
    assert {row["weight"] for row in rows(found.windows)} == {1.0}
    assert {row["question"] for row in rows(found.windows)} == {None}


def test_videos(bah, prepared):
    found = {Path(row["uri"]).relative_to(bah): row for row in rows(prepared(bah=bah).videos)}
    assert {str(path) for path in found} == {video.path for video in VIDEOS}
    for video in VIDEOS:
        row = found[Path(video.path)]
        who = PEOPLE[video.participant]
        assert (row["label"], row["split"]) == (video.label, video.split)
        assert row["duration_s"] == pytest.approx(video.seconds)
        assert row["participant_id"] == video.participant
        assert (row["age"], row["gender"]) == (who["Age"], who["Gender"])
        assert row["ethnicity"] == who.get("Ethnicity simplified")
        assert row["language"] == video.language
    assert found[Path(VIDEOS[4].path)]["segments"] == [
        {"start_s": 2.0, "end_s": 3.5},
        {"start_s": 6.0, "end_s": 11.0},
    ]
    assert found[Path(FACE.path)]["segments"] == []


def test_ids_are_those_of_a_scoring_run(bah, prepared, tmp_path):
    key = tmp_path / "key"
    key.write_text("of sixteen bytes or more")
    for folder in (bah, bah / "Videos"):
        cohort = {video.uri: video.video_id for video in open_cohort(str(folder))}
        found = prepared(bah=bah, videos=folder)
        assert {row["uri"]: row["video_id"] for row in rows(found.videos)} == cohort
        assert found.about["ids_of"] == str(folder)
        keyed = open_cohort(str(folder), id_key=b"of sixteen bytes or more")
        keyed_ids = {
            row["video_id"] for row in rows(prepared(bah=bah, videos=folder, id_key=key).windows)
        }
        assert keyed_ids == {video.video_id for video in keyed}
    with pytest.raises(ConfigError, match=r"--videos .* does not hold .*: name the folder"):
        prepared(bah=bah, videos=tmp_path / "elsewhere")


def test_pseudonyms_depend_on_the_key(bah, prepared, tmp_path):
    ids = []
    for content in ("of sixteen bytes or more", "another of sixteen bytes"):
        (tmp_path / "key").write_text(content)
        found = prepared(bah=bah, id_key=tmp_path / "key")
        ids.append({row["participant_id"] for row in rows(found.windows)})
        assert ids[-1] == {pseudonym(who, content.encode()) for who in PEOPLE}
        assert found.about["pseudonyms"] is True
    assert not ids[0] & ids[1]
    (tmp_path / "key").write_text("short")
    with pytest.raises(ConfigError, match="--id-key: the file holds under 16 bytes"):
        prepared(bah=bah, id_key=tmp_path / "key")


def test_unmarked_parts_of_ah_videos(bah, prepared):
    found = prepared(bah=bah, negatives="unmarked")
    assert spans(found, VIDEOS[4]) == [(2, 3.5, 1), (6, 11, 1)]  # its gaps are under 3 s
    found = prepared(bah=bah, negatives="unmarked", min_tail_s=1)
    assert spans(found, VIDEOS[4]) == [(0, 2, 0), (2, 3.5, 1), (3.5, 6, 0), (6, 11, 1), (11, 12, 0)]


def test_only_who_consented(bah, prepared):
    found = prepared(bah=bah, consent="challenges")
    assert {row["participant_id"] for row in rows(found.videos)} == PEOPLE.keys() - {"90003"}
    assert found.about["left_out"]["videos without consent"] == 2
    found = prepared(bah=bah, consent=["challenges", "Use in publications"])
    assert {row["participant_id"] for row in rows(found.videos)} == PEOPLE.keys() - {
        "90002", "90003",
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"--consent advertising: .*no such field \(it has: age"):
        prepared(bah=bah, consent="advertising")
    (bah / "meta_data.yml").unlink()
    with pytest.raises(ConfigError, match="which tells consent: name it with --meta"):
        prepared(bah=bah, consent="challenges")
    assert {row["age"] for row in rows(prepared(bah=bah).videos)} == {None}


def test_of_those_who_did_not_consent_nothing_is_opened_or_to_be_mended(bah, prepared):
    without = [video for video in VIDEOS if video.participant == "90003"]
    (bah / without[0].path).unlink()
    (bah / without[0].path).write_bytes(b"no video")
    (bah / without[1].path).unlink()
    edit(bah / ANNOTATIONS, "'0:03.5'", "'0:01'")
    found = prepared(bah=bah, consent="challenges")
    assert len(found.videos) == len(VIDEOS) - 2


def test_who_is_not_in_the_meta_data_did_not_consent(bah, faults_of):
    people = {who: fields for who, fields in PEOPLE.items() if who != "90004"}
    (bah / "meta_data.yml").write_text(yaml.dump(people))
    (fault,) = faults_of(bah=bah, consent="publications")
    assert fault.startswith("val.txt:1: ")
    assert "is of a participant without meta data; add what they consented to" in fault


def test_meta_data_that_is_wrong(bah, faults_of, prepared):
    lines = [
        edit(bah / "meta_data.yml", "Age: 31", "Age: young"),
        edit(bah / "meta_data.yml", "Age: 58", "Age: !!python/object:x.Y {}"),
    ]
    age, tag = faults_of(bah=bah)
    assert age == (
        f"meta_data.yml:{lines[0]}: participant 90001: 'young' is no age; write whole years"
    )
    assert tag.startswith(f"meta_data.yml:{lines[1]}: participant 90002: the tag !!python/object:x")
    found = prepared(bah=bah, skip_faulty=True)
    assert {row["participant_id"] for row in rows(found.videos)} == PEOPLE.keys() - {
        "90001", "90002",
    }  # fmt: skip
    assert found.about["left_out"]["faulty videos"] == 3


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
train.txt:6: it is no `path,label,transcript`; write one such line per video
train.txt:7: Videos/e/twice.mp4 is listed a second time (first: TRAIN:5); keep one of the lines
train.txt:8: Videos/f/silent.mp4 has no annotation; annotate it, or take the line out
train.txt:9: ROOT/Videos/g/empty.mp4 cannot be used: the file is empty: upload it again; upload \
the recording again: this is not a whole media file
notes.yaml:13: the interval 1 – 2.6 s is outside the video, which has 2.00 s; mend the interval, \
or check that the video is whole
notes.yaml:17: the interval 0:02 – 0:01 is reversed; write [start, end], the end later
notes.yaml:21: 'soon' is no time; write seconds or minutes:seconds
notes.yaml:24: global_ah is 0, but time_detailed_ah marks intervals; take them out, or set \
global_ah to 1
notes.yaml:28: the tag !!python/object/apply:os.getcwd would make an object; write plain values \
(in Python: yaml.safe_dump)
notes.yaml:28: a list of 0 is no time; write seconds or minutes:seconds
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
        shutil.copy(recordings[2.0], root / path)
    (root / "Videos/b/gone.mp4").unlink()
    (root / "Videos/g/empty.mp4").write_bytes(b"")
    (root / "split").mkdir()
    (root / "split/train.txt").write_text(TRAIN)
    (root / "notes.yaml").write_text(NOTES)
    return root


def test_all_that_is_wrong_is_told_at_once(wrong, faults_of, tmp_path):
    told = TOLD.replace("NOTES", f"{wrong}/notes.yaml").replace("TRAIN", f"{wrong}/split/train.txt")
    expected = told.replace("ROOT", str(wrong)).splitlines()
    found = faults_of(bah=wrong, annotations=wrong / "notes.yaml")
    assert sorted(found) == sorted(expected)
    assert not any((tmp_path / "labels").iterdir()), "nothing was written"


def test_faulty_videos_are_left_out_and_counted(wrong, prepared):
    found = prepared(bah=wrong, annotations=wrong / "notes.yaml", skip_faulty=True)
    assert [row["uri"] for row in rows(found.videos)] == [str(wrong / "Videos/a/good.mp4")]
    assert len(found.skipped) == len(TOLD.splitlines())
    assert found.about["left_out"]["faulty videos"] == len(TOLD.splitlines()) - 1  # one has two


def test_a_leak_is_refused_even_where_faults_are_skipped(bah, prepared, faults_of):
    leak = Invented(participant="90006", split="train", seconds=2.0, label=0, question=7)
    (bah / leak.path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(bah / VIDEOS[3].path, bah / leak.path)
    with (bah / "split/train.txt").open("a") as file:
        file.write(f"{leak.path},0,hm\n")
    with (bah / ANNOTATIONS).open("a") as file:
        file.write(yaml.dump({leak.path: leak.annotation}))
    (fault,) = faults_of(bah=bah)
    assert "participant 90006 is in train (" in fault and "train.txt:6) and in test (" in fault
    assert fault.endswith("keep all videos of a participant in one split")
    with pytest.raises(FaultyInput, match=r"mend it \(--skip-faulty cannot leave this out\)$"):
        prepared(bah=bah, skip_faulty=True)


def test_with_every_video_left_out_it_is_told_why(bah, prepared):
    text = (bah / ANNOTATIONS).read_text()
    (bah / ANNOTATIONS).write_text(re.sub(r"global_ah: \d", "global_ah: x", text))
    with pytest.raises(FaultyInput, match=r"no video is left, .*: 8 faulty videos$") as caught:
        prepared(bah=bah, skip_faulty=True)
    assert len(caught.value.faults) == len(VIDEOS)


def test_a_file_that_breaks_off_is_one_fault_that_cannot_be_left_out(bah, faults_of, prepared):
    line = edit(bah / ANNOTATIONS, f"\n{VIDEOS[2].path}:", f"\n {VIDEOS[2].path}:") + 1
    (fault,) = faults_of(bah=bah)
    assert fault.startswith(f"{ANNOTATIONS}:{line}: bad YAML: ")
    with pytest.raises(FaultyInput):
        prepared(bah=bah, skip_faulty=True)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[[1, 2, 3]]", "the interval is a list of 3; write [start, end]"),
        ("[1:02]", "the interval is '1:02'; write [start, end]"),
        ("{a: 1}", "time_detailed_ah is a mapping; write a list of [start, end]"),
        ("[[3, 3]]", "the interval 3 – 3 is empty"),
        ("[[-1, 3]]", "'-1' is no time"),
        ("[[0:70, 1:30]]", "'0:70' is no time"),
    ],
)
def test_intervals_that_are_none(bah, faults_of, written, told):
    text = (bah / ANNOTATIONS).read_text()
    mark = "time_detailed_ah:\n  - - 0.5\n    - 4.0" if "- - 0.5" in text else None
    mark = mark or "time_detailed_ah:\n  - !!python/tuple\n    - 0.5\n    - 4.0"
    edit(bah / ANNOTATIONS, mark, f"time_detailed_ah: {written}")
    assert told in faults_of(bah=bah)[0]


@pytest.mark.parametrize(
    "written", ["[[0.5, 4]]", "[0.5, 4]", "[['0:00.5', '0:04']]", "[[00:00:00.500, 4.0]]"]
)
def test_intervals_in_other_forms(bah, prepared, written):
    mark = "time_detailed_ah:\n  - !!python/tuple\n    - 0.5\n    - 4.0"
    edit(bah / ANNOTATIONS, mark, f"time_detailed_ah: {written}")
    assert spans(prepared(bah=bah), VIDEOS[5]) == [(0.5, 4, 1)]


def test_a_video_that_does_not_tell_whose_it_is(bah, faults_of, prepared):
    odd = bah / "Videos/90004/Visite_1" / Path(VIDEOS[5].path).name.replace("90004", "90005")
    (bah / VIDEOS[5].path).rename(odd)
    path = str(odd.relative_to(bah))
    for file in ("split/val.txt", ANNOTATIONS):
        text = (bah / file).read_text()
        (bah / file).write_text(text.replace(VIDEOS[5].path, path))
    (fault,) = faults_of(bah=bah)
    assert fault.startswith(f"val.txt:1: {path} does not tell whose it is; name it <participant>/")
    with pytest.raises(ConfigError, match="--participant-pattern P- finds nobody in Videos/9"):
        prepared(bah=bah, participant_pattern="P-")
    found = prepared(bah=bah, participant_pattern=r"Videos/(\d+)/")
    assert {row["participant_id"] for row in rows(found.videos)} == PEOPLE.keys()


def test_an_ah_video_without_a_mark_has_no_window(bah, prepared):
    edit(bah / ANNOTATIONS, "  - !!python/tuple\n    - 0.5\n    - 4.0", "")
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
    (bah / "notes" / FIRST.path).with_suffix(".yaml").write_text("global_ah: 1\n  x: [\n")
    (fault,) = faults_of(bah=bah, annotations=bah / "notes")
    assert f"{Path(FIRST.path).stem}.yaml:2: bad YAML: " in fault
    found = prepared(bah=bah, annotations=bah / "notes", skip_faulty=True)
    assert len(found.videos) == len(VIDEOS) - 1


def test_an_earlier_release(bah, prepared, tmp_path):
    """No folder `Videos`, blanks in names, other names of files."""
    now = prepared(bah=bah, videos=bah / "Videos")
    old = tmp_path / "old"
    (bah / "Videos").rename(old)
    (old / "folds").mkdir()
    for split, name in (("train", "train"), ("val", "valid"), ("test", "test")):
        text = (bah / f"split/{split}.txt").read_text().replace("Videos/", "")
        (old / "folds" / f"{name}.txt").write_text(text)
    (old / "annotation.yml").write_text((bah / ANNOTATIONS).read_text().replace("Videos/", ""))
    then = prepared(bah=old, splits=old / "folds")
    assert then.about["data_fingerprint"] == now.about["data_fingerprint"]


def test_parts_that_are_missing(bah, prepared, tmp_path):
    with pytest.raises(ConfigError, match=r"--bah .*none cannot be read"):
        prepared(bah=tmp_path / "none")
    with pytest.raises(ConfigError, match=r"no train\.txt, val\.txt or test\.txt in .*--splits"):
        prepared(bah=bah, splits=bah / "Videos")
    (bah / ANNOTATIONS).unlink()
    with pytest.raises(
        ConfigError,
        match=r"has no annotations \(video_annotation_t.* with --annotations",
    ):
        prepared(bah=bah)
    (bah / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no video"):
        prepared(bah=bah / "split")


def test_prepared_twice_is_the_same(bah, prepared, tmp_path):
    def written():
        return {path.name: path.read_bytes() for path in (tmp_path / "labels").iterdir()}

    prepared(bah=bah, balance="draw", seed=3)
    first = written()
    assert first.keys() == {"windows.parquet", "videos.parquet", "prepared.json"}
    prepared(bah=bah, balance="draw", seed=3)
    assert written() == first
