"""jobs/clips.py as it is called: a round trip to an evaluation, mistakes, and being stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import videos
from in_process import run_here
from study.invented_review import answered, read_sheet, score_invented, write_rows

from ah_ray import storage
from ah_ray.study.labelled_manifest import read_labelled_videos, read_windows

REPOSITORY = Path(__file__).parents[2]
EVERY_5_S = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "125", "-bf", "2")
SCORES = {
    "a": [0.9, 0.8],
    "b": [0.7, 0.2],
    "c": [0.1, 0.3],
    "d": [0.6, 0.4],
}


def job(name: str, *arguments: object, status: int = 0) -> tuple[str, str]:
    """(standard output, standard error)."""
    done = run_here(name, *arguments)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "recording.mp4"
    return videos.make_numbered(path, n_frames=250, codec=EVERY_5_S, sound=videos.TONE)


@pytest.fixture
def cohort(recording, tmp_path) -> dict[str, Path]:
    """Four videos of 10 s, in a folder of their own."""
    (tmp_path / "cohort").mkdir()
    paths = {name: tmp_path / "cohort" / f"{name}.mp4" for name in SCORES}
    for path in paths.values():
        path.write_bytes(recording.read_bytes())
    return paths


@pytest.fixture
def out(cohort, tmp_path) -> Path:
    score_invented(tmp_path / "scores", {n: (cohort[n], p) for n, p in SCORES.items()})
    return tmp_path / "scores"


def test_there_and_back(out, tmp_path):
    """Reviewers find A/H in a, b and c; the model said a, b and d."""
    review, labels = tmp_path / "review", tmp_path / "labels"
    said, _ = job("clips", out, "--top", 4, "--surest", "yes", "--surest", "no", "--to", review)
    assert said.splitlines()[0] == "copied   clips/a-0000.000s.mp4"
    assert "8 moments: 8 copied as they are, 0 encoded" in said
    yes = {("a", "0"), ("a", "5"), ("b", "0"), ("c", "5")}
    every = {(row["video_id"], row["start_s"]) for row in read_sheet(review / "sheet.csv")}
    first = {one: "Yes" if one in yes else "No" for one in every}
    second = first | {("a", "5"): "N"}
    third = {one: first[one] for one in every if one[0] != "d"}
    sheets = [
        answered(review / "sheet.csv", tmp_path / f"{who}.csv", who, answers)
        for who, answers in (("A", first), ("B", second), ("C", third))
    ]
    people = write_rows(
        tmp_path / "people.csv",
        [{"video_id": v, "participant": f"P-{v in 'ab'}", "split": "test"} for v in SCORES],
    )
    who = ("--participants", people, "--plain-participants")
    said, _ = job("clips", out, "--answers", *sheets, "--labels-out", labels, *who)
    told = [line.strip() for line in said.splitlines()]
    assert "of 4 clips that the model answered Yes, reviewers: 3 Yes, 1 No" in told
    assert "of 4 clips that the model answered No, reviewers: 1 Yes, 3 No" in told
    assert "they differ: a, 5 – 10 s: A Yes; B No; C Yes → Yes" in told
    assert "A and B: 7 of 8 alike, Cohen's kappa 0.75" in told
    assert "all, of the 6 clips that each judged: Fleiss' kappa 0.77" in told
    assert "3 reviewers: 8 clips judged by more than one, 7 alike, 0 ties left out" in told
    windows = read_windows(str(labels), "test").to_pylist()
    assert {(w["video_id"], f"{w['start_s']:g}") for w in windows if w["label"]} == yes
    assert read_labelled_videos(str(labels))["label"].to_pylist() == [1, 1, 1, 0]
    job("evaluate", out, "--labels", labels, "--to", tmp_path / "measured", "--draws", 100)
    measured = json.loads((tmp_path / "measured" / "metrics.json").read_text())
    assert measured["labels"]["n_videos"] == 4 and measured["labels"]["n_ah"] == 3
    confusion = measured["outputs"][0]["scored"]["confusion"]
    assert confusion == {"tp": 2, "fp": 1, "fn": 1, "tn": 0}
    timeline = measured["outputs"][0]["timeline"]
    assert (timeline["n_clips"], timeline["n_ah_clips"]) == (8, 4)


def test_what_could_not_be_cut_shows_in_the_exit_status(out, cohort, tmp_path):
    cohort["b"].unlink()
    said, _ = job("clips", out, "--to", tmp_path / "review", status=3)
    assert "not cut: b, 0 – 5 s: the video is no longer where it was scored; bring it back" in said
    assert "4 moments: 3 copied as they are, 0 encoded, 1 not cut" in said
    assert len(read_sheet(tmp_path / "review" / "sheet.csv")) == 3


def test_faults_are_listed(out, tmp_path):
    job("clips", out, "--to", tmp_path / "review")
    sheet = tmp_path / "review" / "sheet.csv"
    every = {(row["video_id"], row["start_s"]): "perhaps\x1b[31m" for row in read_sheet(sheet)}
    filled = answered(sheet, tmp_path / "A.csv", "A", every)
    back = (out, "--answers", filled, "--labels-out", tmp_path / "labels")
    said, told = job("clips", *back, status=2)
    assert not said and told.count(": the answer 'perhaps\\x1b[31m' is unknown") == 4
    assert told.splitlines()[-1].startswith("error: 4 faults in 1 file, nothing was written")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Missing argument 'OUT'"),
        (("x", "y", "--to", "z"), "give one OUT, an output of score.py: there are 2"),
        (("x", "--to", "z"), "x is no output of ah_ray"),
        (("x", "--to", "z", "--surest", "maybe"), "--surest: Input should be 'yes', 'no'"),
        (("x", "--to", "z", "--seed", "1"), "--seed is of no use without --answers"),
        (("x", "--answers", "a.csv", "--to", "z"), "--to is for cutting: leave it out, or"),
        (("--answers", "a.csv", "b.csv", "--labels-out", "l"), "give one OUT"),
        (("x", "--answers", "a.csv", "--labels-out", "l"), "--answers a.csv cannot be read"),
    ],
)
def test_mistakes_are_one_line(arguments, told):
    _, said = job("clips", *arguments, status=2)
    assert said.startswith("error: ") and said.count("\n") == 1 and told in said


def test_stopped_it_ends_soon_and_leaves_no_sheet(recording, tmp_path):
    score_invented(
        tmp_path / "scores",
        {f"v{n:02}": (recording, [0.9, 0.8]) for n in range(60)},
    )
    review = tmp_path / "review"
    command = [sys.executable, "jobs/clips.py", tmp_path / "scores", "--top", "120", "--to", review]
    running = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE)
    until = time.monotonic() + 100
    while not any(review.glob("clips/*.mp4")) and time.monotonic() < until:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert (running.returncode, said) == (3, b"error: stopped. Run it again\n")
    assert 0 < len(list(review.glob("clips/*.mp4"))) < 120
    assert not (review / "sheet.csv").exists() and not list(review.glob("**/.tmp-*"))


def test_on_a_bucket(bucket, recording, tmp_path):
    place = f"s3://{bucket}"
    scores = {}
    for name, p_ah in SCORES.items():
        storage.write_file(f"{place}/cohort/{name}.mp4", recording)
        scores[name] = (f"{place}/cohort/{name}.mp4", p_ah)
    score_invented(f"{place}/scores", scores)
    job("clips", f"{place}/scores", "--to", tmp_path / "review")
    sheet = tmp_path / "review" / "sheet.csv"
    every = {(row["video_id"], row["start_s"]): "Yes" for row in read_sheet(sheet)}
    filled = answered(sheet, tmp_path / "A.csv", "A", every)
    job("clips", f"{place}/scores", "--answers", filled, "--labels-out", f"{place}/labels")
    uris = set(read_windows(f"{place}/labels")["uri"].to_pylist())
    assert uris == {f"{place}/cohort/{name}.mp4" for name in "abd"}


def test_starts_quickly():
    modules = "import sys, time, jobs.clips; print(time.process_time(), *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", modules], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    cpu_s, *loaded = done.stdout.split()
    assert not {"ray", "torch", "transformers", "ffmpeg", "sklearn"} & set(loaded)
    assert float(cpu_s) < 2
