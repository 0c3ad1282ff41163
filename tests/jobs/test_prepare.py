"""`python jobs/prepare.py` as a user runs it, on an invented BAH."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from in_process import run_here
from study.invented_bah import ANNOTATIONS, VIDEOS, Invented, edit, make_bah, make_recordings

from ah_ray import storage
from ah_ray.cohort import open_cohort
from ah_ray.study.labelled_manifest import read_about, read_labelled_videos, read_windows

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return make_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture
def bah(recordings, tmp_path):
    return make_bah(tmp_path / "bah", recordings)


@pytest.fixture
def key(tmp_path):
    (tmp_path / "key").write_text("of sixteen bytes or more")
    return tmp_path / "key"


def prepare(*arguments, status=0):
    """(standard output, standard error)."""
    done = run_here("prepare", *arguments)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def test_bah(bah, key, tmp_path):
    out = tmp_path / "labels"
    said, _ = prepare("--bah", bah, "--out", out, "--id-key", key, "--balance", "weights")
    lines = [line.split() for line in said.splitlines()]
    assert lines[1] == ["train", "3", "5", "2", "0:50", "4", "1.12", "5", "0.90"]
    assert lines[2] == ["val", "1", "1", "1", "0:07", "1", "1.00", "0", "–"]
    assert lines[3] == ["test", "2", "2", "1", "0:19", "1", "1.00", "2", "1.00"]
    assert f"{out}: 13 windows of 8 videos, 6 participants; fingerprint " in said
    assert f"the video ids are those of score.py --videos {bah}" in said
    assert sorted(path.name for path in out.iterdir()) == [
        "prepared.json", "videos.parquet", "windows.parquet",
    ]  # fmt: skip
    about = read_about(str(out))
    assert about["settings"]["balance"] == "weights"
    assert about["splits"]["train"]["windows"]["ah"] == {
        "n": 4, "hours": round(15 / 3600, 4), "mean_weight": pytest.approx(9 / 8),
    }  # fmt: skip
    assert read_windows(str(out)).num_rows == 13
    text = (out / "prepared.json").read_text()
    assert not any(video.participant in text for video in VIDEOS)  # it names nobody
    assert str(key) not in text


def test_a_table(recordings, tmp_path):
    """How score.py calls these videos the same is said, and works."""
    for name, seconds in (("a", 12.0), ("b", 7.0)):
        (tmp_path / f"{name}.mp4").symlink_to(recordings[seconds])
    labels, out = tmp_path / "labels.csv", tmp_path / "we\x1b[31mird"
    lines = ("uri,start_s,end_s,label,participant", "a.mp4,0,2,1,ann", "a.mp4,3,5,0,ann",
             "b.mp4,,,0,bob", "c.mp4,,,0,bob")  # fmt: skip
    labels.write_text("\n".join(lines))
    arguments = ("--table", labels, "--out", out, "--plain-participants", "--skip-faulty")
    said, _ = prepare(*arguments, "--split", "1,0,0")
    assert "left out: 1 faulty video\n" in said and "3 windows of 2 videos, 2 part" in said
    assert f"score.py --videos {tmp_path}/we\\x1b[31mird/videos.parquet scores these" in said
    by_id = {row["video_id"]: row["uri"] for row in read_labelled_videos(str(out)).to_pylist()}
    cohort = open_cohort(str(out / "videos.parquet"))
    assert {video.video_id: video.uri for video in cohort} == by_id


def test_help_shows_whole_names():
    done = subprocess.run(
        [sys.executable, "jobs/prepare.py", "--help"],
        cwd=REPOSITORY, env=os.environ | {"COLUMNS": "80"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert "--plain-participants " in done.stdout and "--participant-pattern " in done.stdout
    assert not re.search(r"--\S*…", done.stdout)


def test_all_faults_in_one_listing(bah, key, tmp_path):
    lines = [
        edit(bah / ANNOTATIONS, "'0:03.5'", "'0:01'") - 2,
        edit(bah / ANNOTATIONS, "    - 0.5\n    - 4.0", "    - 0.5\n    - 40.0") - 1,
    ]
    out = tmp_path / "labels"
    arguments = ("--bah", bah, "--out", out, "--id-key", key)
    said, told = prepare(*arguments, status=2)
    *listing, sentence = told.splitlines()
    assert not said and not any(out.iterdir())
    first, second = sorted(lines)
    assert listing[0].startswith(f"{bah}/{ANNOTATIONS}:{first}: the interval ")
    assert listing[1].startswith(f"{bah}/{ANNOTATIONS}:{second}: the interval ")
    assert sentence == (
        "error: 2 faults in 1 file, nothing was written: correct them, or leave these videos out "
        "with --skip-faulty"
    )
    said, told = prepare(*arguments, "--skip-faulty")
    assert "left out: 2 faulty videos" in said
    assert told.splitlines() == [f"left out: {line}" for line in listing]
    assert read_labelled_videos(str(out)).num_rows == len(VIDEOS) - 2


def test_a_terminal_obeys_no_name(bah, key, tmp_path):
    with (bah / "split/val.txt").open("a") as file:
        file.write("Videos/\x1b[31mred\x85\u202e.mp4,0,hm\n")
    _, told = prepare("--bah", bah, "--out", tmp_path / "labels", "--id-key", key, status=2)
    listing, sentence = told.splitlines()
    assert listing.startswith(
        f"{bah}/split/val.txt:2: Videos/\\x1b[31mred\\x85\\u202e.mp4 is not there"
    )
    assert sentence.startswith("error: 1 fault in 1 file")


def test_exported_and_read_back(bah, key, tmp_path):
    first, second, jsonl = tmp_path / "labels", tmp_path / "back", tmp_path / "swift.jsonl"
    prepare("--bah", bah, "--out", first, "--id-key", key, "--export-swift", jsonl)
    prepare("--import-swift", jsonl, "--out", second)
    assert read_windows(str(first)) == read_windows(str(second))


def test_on_s3_with_settings_from_a_file(bucket, bah, key, tmp_path):
    for path in (path for path in bah.rglob("*") if path.is_file()):
        storage.write_file(f"s3://{bucket}/bah/{path.relative_to(bah)}", path)
    here, there = tmp_path / "labels", f"s3://{bucket}/labels"
    config = tmp_path / "prepare.yaml"
    config.write_text(json.dumps({"tail": "shift", "id-key": str(key), "consent": ["challenges"]}))
    prepare("--bah", bah, "--out", here, "--config", config)
    prepare("--bah", f"s3://{bucket}/bah", "--out", there, "--config", config)
    of_disk, of_bucket = read_about(str(here)), read_about(there)
    assert of_disk["data_fingerprint"] == of_bucket["data_fingerprint"]
    assert of_disk["left_out"]["videos without consent"] == 2
    uri = read_windows(there)["uri"][0].as_py()
    assert uri.startswith(f"s3://{bucket}/bah/Videos/9")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--out is missing"),
        (("--out", "x"), "give one of --bah, --table, --import-swift"),
        (("--out", "x", "--bah", "y"), "participants need pseudonyms"),
        (("--out", "x", "--bah", "y", "--id-key", "none"), "--id-key: "),
        (("--out", "x", "--tail", "cut"), "--tail: Input should be 'drop', 'keep' or 'shift'"),
    ],
)
def test_mistakes_are_one_line(arguments, told, tmp_path):
    _, said = prepare(*(tmp_path / one if one == "x" else one for one in arguments), status=2)
    assert said.startswith("error: ") and said.count("\n") == 1 and told in said


def test_stopped_it_ends_soon_and_leaves_no_manifest(recordings, key, tmp_path):
    videos = [
        Invented(participant=f"9{n:04}", split="train", seconds=12.0, label=0) for n in range(40)
    ]
    bah = make_bah(tmp_path / "bah", recordings, videos)
    out, clips = tmp_path / "labels", tmp_path / "clips"
    command = [sys.executable, "jobs/prepare.py", "--bah", bah, "--out", out, "--id-key", key]
    command += ["--export-swift", tmp_path / "swift.jsonl", "--cut-clips", clips]
    job = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE)
    until = time.monotonic() + 100
    while not any(clips.glob("*.mp4")) and time.monotonic() < until:
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    _, said = job.communicate(timeout=30)
    assert (job.returncode, said) == (3, b"error: stopped. Run it again\n")
    assert not any(out.iterdir()) and len(list(clips.glob("*.wav"))) < 2 * len(videos)


def test_starts_quickly():
    modules = "import sys, time, jobs.prepare; print(time.process_time(), *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", modules], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    cpu_s, *loaded = done.stdout.split()
    assert not {"ray", "torch", "transformers", "ffmpeg"} & set(loaded)
    assert float(cpu_s) < 2
