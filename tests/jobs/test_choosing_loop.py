"""The loop of docs/choosing.md, step by step, as its commands stand there; without a training."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import videos
from in_process import run_here
from invented_rows import from_manifest, name_of, row, scored, scoring
from study.invented_review import answered, read_sheet

from ah_ray import storage
from ah_ray.config import Reduction
from ah_ray.output.config import claim_output
from ah_ray.output.embeddings.files import write_embeddings
from ah_ray.output.row_files import commit_row
from ah_ray.output.tables import write_tables
from ah_ray.study.labelled_manifest import read_labelled_videos, read_windows

pytestmark = pytest.mark.heavy

PAGE = (Path(__file__).parents[2] / "docs" / "choosing.md").read_text(encoding="utf-8")
SCORES = {"a": [0.5, 0.9], "b": [0.45, 0.1], "c": [0.51, 0.52], "d": [0.5, 0.5]}
SPLITS = {"a": "train", "b": "train", "c": "train", "d": "val"}


@pytest.fixture
def study(tmp_path) -> Path:
    """Four recordings of 10 s, their scores with embeddings, and labels of a and d."""
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "125", "-bf", "2")
    recording = videos.make_numbered(
        tmp_path / "recording.mp4", n_frames=250, codec=codec, sound=videos.TONE
    )
    (tmp_path / "cohort").mkdir()
    claim_output(str(tmp_path / "scores"), scoring(), Reduction())
    names = []
    for number, (video_id, p_ah) in enumerate(SCORES.items()):
        path = tmp_path / "cohort" / f"{video_id}.mp4"
        own = b"\0\0\0\x08free" * number  # no two people have the same bytes
        path.write_bytes(recording.read_bytes() + own)
        made = row(video_id, p_ah, etag=storage.stat(str(path)).etag, uri=str(path))
        made["size_bytes"] = path.stat().st_size
        clips = [
            replace(clip, embedding=np.eye(8)[2 * number + n].astype("<f2").tobytes())
            for n, clip in enumerate(scored(video_id, p_ah).clips)
        ]
        write_embeddings(str(tmp_path / "scores"), made, clips)
        commit_row(str(tmp_path / "scores"), made)
        names.append(name_of(made))
    said = {video_id: {"participant": f"P-{video_id}"} for video_id in SCORES}
    write_tables(str(tmp_path / "scores"), names, from_manifest=from_manifest(said))
    (tmp_path / "key.txt").write_text("a key that is long enough to keep")
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["uri", "video_id", "label", "participant", "split", "start_s", "end_s"])
        writer.writerow([tmp_path / "cohort" / "a.mp4", "a", 1, "P-a", "train", 5, 10])
        writer.writerow([tmp_path / "cohort" / "d.mp4", "d", 0, "P-d", "val", "", ""])
    job("prepare", "--table", tmp_path / "labels.csv", "--out", tmp_path / "labels",
        "--id-key", tmp_path / "key.txt")  # fmt: skip
    return tmp_path


def job(name: str, *arguments: object) -> str:
    done = run_here(name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_scores_to_labels_of_both(study, monkeypatch):
    monkeypatch.chdir(study)
    printed = job(
        "clips", "scores", "--top", "3", "--doubtful", "--diverse", "--answered", "labels",
        "--to", "review",
    )  # fmt: skip
    assert "Chosen from 5 of 8 clips (without 3 judged before): 3 clips of 3 part" in printed
    assert "Doubt from 1.00 to 0." in printed
    assert "probabilities not calibrated (--calibration)" in printed
    assert "Labels of chosen clips are for training" in printed
    sheet = read_sheet(study / "review" / "sheet.csv")
    assert {each["selection"] for each in sheet} == {"moments"}
    assert {each["video_id"] for each in sheet} == {"a", "b", "c"}

    given = {(each["video_id"], each["start_s"]): "Yes" for each in sheet}
    answered(study / "review" / "sheet.csv", study / "sheet-AB.csv", "AB", given)
    job("clips", "scores", "--answers", "sheet-AB.csv", "--labels-out", "reviewed",
        "--split", "1,0,0", "--id-key", "key.txt")  # fmt: skip
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(program, "docs", "exec"), {})
    assert "python jobs/prepare.py --table all.parquet --out labels-2 --plain-participants" in PAGE
    job("prepare", "--table", "all.parquet", "--out", "labels-2", "--plain-participants")

    windows = read_windows("labels-2").to_pylist()
    of_train = {(each["video_id"], each["start_s"]) for each in windows if each["split"] == "train"}
    assert of_train == {("a", 5.0)} | {(video_id, float(start)) for video_id, start in given}
    before = read_labelled_videos("labels", "val")
    assert read_labelled_videos("labels-2", "val")["video_id"] == before["video_id"]
    people = {each["video_id"]: each["participant_id"] for each in windows}
    old = {each["video_id"]: each["participant_id"] for each in read_windows("labels").to_pylist()}
    assert people["a"] == old["a"] and people["d"] == old["d"], "the same person, the same name"

    again = job("clips", "scores", "--top", "9", "--doubtful", "--to", "more",
                "--answered", "labels", "--answered", "sheet-AB.csv")  # fmt: skip
    assert "Chosen from 2 of 8 clips (without 6 judged before" in again
