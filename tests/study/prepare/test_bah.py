"""BAH as it is published, with invented people."""

from __future__ import annotations

from pathlib import Path

import pytest
from invented_bah import ANNOTATIONS, PEOPLE, VIDEOS, spans

from ah_ray.cohort import open_cohort
from ah_ray.cohort.participant_names import pseudonym
from ah_ray.errors import ConfigError


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
    assert {row["weight"] for row in found.windows.to_pylist()} == {1.0}
    assert {row["question"] for row in found.windows.to_pylist()} == {None}


def test_videos(bah, prepared):
    found = {Path(row["uri"]).relative_to(bah): row for row in prepared(bah=bah).videos.to_pylist()}
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
    assert found[Path(VIDEOS[1].path)]["segments"] == []


def test_ids_are_those_of_a_scoring_run(bah, prepared, tmp_path):
    key = tmp_path / "key"
    key.write_text("of sixteen bytes or more")
    for folder in (bah, bah / "Videos"):
        cohort = {video.uri: video.video_id for video in open_cohort(str(folder))}
        found = prepared(bah=bah, videos=folder)
        assert {row["uri"]: row["video_id"] for row in found.videos.to_pylist()} == cohort
        assert found.about["ids_of"] == str(folder)
        keyed = open_cohort(str(folder), id_key=b"of sixteen bytes or more")
        keyed_ids = {
            row["video_id"]
            for row in prepared(bah=bah, videos=folder, id_key=key).windows.to_pylist()
        }
        assert keyed_ids == {video.video_id for video in keyed}
    with pytest.raises(ConfigError, match=r"--videos .* does not hold .*: name the folder"):
        prepared(bah=bah, videos=tmp_path / "elsewhere")


def test_pseudonyms_depend_on_the_key(bah, prepared, tmp_path):
    ids = []
    for content in ("of sixteen bytes or more", "another of sixteen bytes"):
        (tmp_path / "key").write_text(content)
        found = prepared(bah=bah, id_key=tmp_path / "key")
        ids.append({row["participant_id"] for row in found.windows.to_pylist()})
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
    assert {row["participant_id"] for row in found.videos.to_pylist()} == PEOPLE.keys()


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
    for flag in ("annotations", "meta"):
        with pytest.raises(ConfigError, match=rf"--{flag} .*none\.yml: there is no such file"):
            prepared(bah=bah, **{flag: tmp_path / "none.yml"})
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
    def read_files():
        return {path.name: path.read_bytes() for path in (tmp_path / "labels").iterdir()}

    prepared(bah=bah, balance="draw", seed=3)
    first = read_files()
    assert first.keys() == {"windows.parquet", "videos.parquet", "prepared.json"}
    prepared(bah=bah, balance="draw", seed=3)
    assert read_files() == first
