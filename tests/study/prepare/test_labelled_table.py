"""Any other data set, as a CSV or Parquet file: with times or without, with splits or without."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ah_ray import storage
from ah_ray.cohort import open_cohort
from ah_ray.cohort.identity import video_id_of
from ah_ray.errors import ConfigError
from ah_ray.study.label_errors import FaultyInput


def spans(prepared) -> list[tuple]:
    return [
        (Path(row["uri"]).stem, row["start_s"], row["end_s"], row["label"])
        for row in sorted(
            prepared.windows.to_pylist(), key=lambda row: (row["uri"], row["start_s"])
        )
    ]


def test_rows_with_and_without_times(table, prepared):
    labels = table("a.mp4,1.5,8.5,1,ann", "a.mp4,0:10,00:00:11.5,0,ann", "b.mp4,,,0,bob",
                   "c.mp4,,,1,bob", "d.mp4,,,0,bob")  # fmt: skip
    found = prepared(table=labels, split="1,0,0")
    assert spans(found) == [
        ("a", 1.5, 6.5, 1), ("a", 10, 11.5, 0), ("b", 0, 5, 0), ("b", 5, 10, 0), ("c", 0, 5, 1),
        ("d", 0, 2, 0),
    ]  # fmt: skip
    videos = {Path(row["uri"]).stem: row for row in found.videos.to_pylist()}
    assert {name: row["label"] for name, row in videos.items()} == {"a": 1, "b": 0, "c": 1, "d": 0}
    assert videos["a"]["segments"] == [{"start_s": 1.5, "end_s": 8.5}]
    assert videos["c"]["segments"] == []  # A/H somewhere
    assert found.windows["split"].to_pylist() == ["train"] * 6


def test_parquet_is_as_csv(table, folder, prepared):
    labels = table("a.mp4,1.5,8.5,1,ann", "b.mp4,,,0,bob")
    frame = pd.read_csv(labels)
    frame.to_parquet(folder / "labels.parquet")
    of_csv = prepared(table=labels, split="1,0,0")
    of_parquet = prepared(table=folder / "labels.parquet", split="1,0,0")
    assert of_csv.windows == of_parquet.windows and of_csv.videos == of_parquet.videos


def test_ids_are_those_of_a_scoring_run(table, folder, prepared):
    labels = table("a.mp4,0", "b.mp4,0", "c.mp4,0", header="uri,label")
    cohort = {video.uri: video.video_id for video in open_cohort(str(labels))}
    labels = table("a.mp4,,,0,ann", "b.mp4,,,0,ann", "c.mp4,,,0,ann")
    found = prepared(table=labels, split="1,0,0").videos.to_pylist()
    assert {row["uri"]: row["video_id"] for row in found} == cohort
    found = prepared(table=labels, split="1,0,0", videos=folder.parent).videos.to_pylist()
    assert {row["video_id"] for row in found} == {video_id_of(f"data/{n}.mp4") for n in "abc"}
    labels = table("a.mp4,V1,0,ann", header="uri,video_id,label,participant")
    assert prepared(table=labels).videos["video_id"].to_pylist() == ["V1"]


def test_what_is_written_is_a_manifest_with_these_ids(bucket, table, prepared, tmp_path):
    """Also of a table with several rows a video, which is no manifest itself."""
    labels = table("a.mp4,0,2,1,ann", "a.mp4,3,5,1,ann", "b.mp4,,,0,bob")
    with pytest.raises(ConfigError, match="the same video_id as line 2"):
        list(open_cohort(str(labels)))
    found = prepared(table=labels, split="1,0,0")
    cohort = {video.uri: video.video_id for video in open_cohort(found.manifest)}
    assert {row["uri"]: row["video_id"] for row in found.videos.to_pylist()} == cohort
    far = prepared(table=labels, split="1,0,0", out=f"s3://{bucket}/labels")
    assert far.manifest is None  # a manifest there may not name files here
    assert far.about == found.about


def test_what_else_a_table_may_tell(table, prepared):
    labels = table(
        "a.mp4,0,ann,train,,40,f,x,en", "a.mp4,1,ann,train,Is the voice calm?,,,,",
        "b.mp4,0,bob,val,Is the voice calm?,,,,", "c.mp4,1,cid,test,,,,,",
        header="uri,label,participant,split,question,age,gender,ethnicity,language",
    )  # fmt: skip
    found = prepared(table=labels)
    a, b, c = sorted(found.videos.to_pylist(), key=lambda row: row["uri"])
    assert (a["age"], a["gender"], a["ethnicity"], a["language"]) == (40, "f", "x", "en")
    assert (a["label"], b["label"], c["label"]) == (0, None, 1)
    assert (a["split"], b["split"], c["split"]) == ("train", "val", "test")
    asked = Counter((row["question"], row["label"]) for row in found.windows.to_pylist())
    assert asked == {(None, 0): 2, ("Is the voice calm?", 1): 2, ("Is the voice calm?", 0): 2,
                     (None, 1): 1}  # fmt: skip


def test_splits_are_drawn_by_participant(table, prepared):
    labels = table("a.mp4,,,0,ann", "b.mp4,,,0,bob", "c.mp4,,,1,bob", "d.mp4,,,0,cid")
    found = prepared(table=labels).videos.to_pylist()
    by_person = {(row["participant_id"], row["split"]) for row in found}
    assert len(by_person) == 3 and {split for _, split in by_person} == {"train", "val", "test"}
    assert prepared(table=labels).videos.to_pylist() == found
    others = [prepared(table=labels, seed=seed).videos.to_pylist() for seed in range(1, 5)]
    assert any(other != found for other in others)


def test_consent_is_a_column(table, prepared):
    labels = table("a.mp4,0,ann,yes", "b.mp4,0,bob,no", "c.mp4,1,cid,", "d.mp4,0,dot,True",
                   header="uri,label,participant,May be shared")  # fmt: skip
    found = prepared(table=labels, consent="may be shared", split="1,0,0")
    assert {row["participant_id"] for row in found.videos.to_pylist()} == {"ann", "dot"}
    assert found.about["left_out"] == {
        "seconds of tails and gaps": 2.0,
        "videos without consent": 2,
    }
    with pytest.raises(ConfigError, match="has no column publications"):
        prepared(table=labels, consent="publications")


LINES = (
    "a.mp4,0,2,1,ann", "a.mp4,1,3,0,ann", "b.mp4,,,0,bob", "b.mp4,4,6,1,bob", "c.mp4,0,9,1,cid",
    "../d.mp4,,,0,dot", "d.mp4,,,often,dot", "e.mp4,,,0,", "f.mp4,3,1,1,eve", "g.mp4,x,1,1,eve",
    "h.mp4,1,,1,eve", "i.mp4,,,0,eve",
)  # fmt: skip
TOLD = """\
labels.csv:3: it overlaps line 2; let each moment of a video be in one row
labels.csv:5: it overlaps line 4; let each moment of a video be in one row
labels.csv:6: the interval 0 – 9 s is outside the video, which has 7.00 s; correct the \
interval, or check that the video is whole
labels.csv:7: '../d.mp4' leaves the manifest's folder; give the whole URI
labels.csv:8: the label 'often' is unknown; write 0 or 1
labels.csv:9: the participant is missing; say whose video it is
labels.csv:10: the interval 3 – 1 is reversed; give an end_s after start_s
labels.csv:11: 'x' is not a time; give start_s and end_s in seconds, or neither of them
labels.csv:12: end_s is missing; give start_s and end_s in seconds, or neither of them
labels.csv:13: FOLDER/i.mp4 cannot be used: it is not there; upload the object, or take it out of \
the manifest
"""


def test_all_that_is_wrong_is_reported_at_once(table, folder, faults_of, prepared):
    labels = table(*LINES)
    told = TOLD.replace("FOLDER", str(folder)).splitlines()
    assert sorted(faults_of(table=labels)) == sorted(told)
    with pytest.raises(ConfigError, match="no video is left"):
        prepared(table=labels, skip_faulty=True)


def test_rows_that_do_not_agree(folder, table, faults_of, prepared):
    labels = table(
        "a.mp4,0,1,1,ann,train", "a.mp4,1,2,1,ann,test", "b.mp4,,,0,bob,train",
        "c.mp4,,,0,bob,val", "d.mp4,,,0,cid,", "d.mp4,,,0,dot,holdout",
        header="uri,start_s,end_s,label,participant,split",
    )  # fmt: skip
    split, ann, bob, missing, *of_d = faults_of(table=labels)
    assert "labels.csv:2: participant ann is in train (" in split
    assert ann == "labels.csv:3: its split is another than on line 2; make them the same"
    assert "labels.csv:4: participant bob is in train (" in bob
    assert "labels.csv:6: the split is missing; write train, val, test" in missing
    assert of_d[0] == "labels.csv:7: its participant is another than on line 6; make them the same"
    assert "labels.csv:7: the split 'holdout' is unknown" in of_d[1]
    with pytest.raises(
        FaultyInput, match=r"correct them \(--skip-faulty cannot leave any of them out"
    ):
        prepared(table=labels, skip_faulty=True)
    good = table("a.mp4,0,ann,train", header="uri,label,participant,split")
    (folder / "a.mp4").unlink()  # nothing is opened before this is reported
    with pytest.raises(ConfigError, match=r"labels\.csv brings its own: leave one out"):
        prepared(table=good, split="0.5,0.25,0.25")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("uri,label\na.mp4,1\n", r"no column participant \(its columns: uri, label\)"),
        ("", r"no column uri, label, participant \(its columns: none\)"),
        ("uri,label,participant\n", "names no video"),
        ("uri;label,participant\n", "uri;label, participant.; put commas between columns"),
        ("uri,label,participant\na,b.mp4,1,ann\n", "line 2 has more cells than the header"),
        ("uri,label,Label,participant\n", "has the column label twice"),
        ('uri,label,participant\n"a', "is not a CSV file"),
    ],
)
def test_files_that_are_no_table(folder, prepared, text, told):
    (folder / "labels.csv").write_text(text)
    with pytest.raises(ConfigError, match=told):
        prepared(table=folder / "labels.csv")


def test_a_row_without_a_label(table, faults_of):
    (fault,) = faults_of(table=table("a.mp4,,,,ann"))
    assert fault == "labels.csv:2: the label is missing; write 0 or 1"


def test_other_files(folder, prepared):
    (folder / "labels.parquet").write_text("uri,label,participant\n")
    with pytest.raises(ConfigError, match="is not a Parquet file"):
        prepared(table=folder / "labels.parquet")
    with pytest.raises(ConfigError, match=r"--table .* cannot be read"):
        prepared(table=folder / "none.csv")


def test_tables_that_are_made_to_be_large(folder, prepared):
    path = folder / "labels.parquet"
    many = pa.RunEndEncodedArray.from_arrays(pa.array([9_000_000], pa.int32()), ["a.mp4"])
    uris = pc.run_end_decode(many).dictionary_encode()
    n = len(uris)
    pq.write_table(
        pa.table({"uri": uris, "label": pa.nulls(n, pa.int8()), "participant": uris}), path
    )
    assert path.stat().st_size < 100_000
    with pytest.raises(ConfigError, match="is too large: over 5,000,000 rows or 1 GiB; split it"):
        prepared(table=path)
    rows = {"uri": ["a.mp4"] * 9, "label": [0] * 9, "participant": ["x" * 9000] * 9}
    pd.DataFrame(rows).to_parquet(path)
    with pytest.raises(ConfigError, match="row 1 holds a text of over 8,192 characters"):
        prepared(table=path)
    (folder / "labels.csv").write_text("uri,label,participant\n" + "a" * (3 << 20))
    with pytest.raises(ConfigError, match="has a line of over 1048576 characters"):
        prepared(table=folder / "labels.csv")


def test_a_table_does_not_choose_which_host_is_asked(table, faults_of):
    (fault,) = faults_of(table=table("http://169.254.169.254/a.mp4,,,0,ann"))
    assert "asks a host that the manifest chooses; give a bucket, or a path" in fault


def test_from_a_bucket(bucket, folder, table, prepared):
    labels = table("a.mp4,1.5,8.5,1,ann", "d.mp4,,,0,bob")
    for name in ("a.mp4", "d.mp4", "labels.csv"):
        storage.write_file(f"s3://{bucket}/data/{name}", folder / name)
    here = prepared(table=labels)
    there = prepared(table=f"s3://{bucket}/data/labels.csv", out=f"s3://{bucket}/labels")
    assert there.windows["uri"].to_pylist()[0].startswith(f"s3://{bucket}/data/")
    assert there.about["data_fingerprint"] == here.about["data_fingerprint"]
