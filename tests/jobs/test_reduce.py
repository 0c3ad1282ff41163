"""`python jobs/reduce.py` as a user runs it, on outputs made without a model."""

import json
import signal
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from in_process import said_by
from invented_rows import SCORED_AT, make_output, name_of, scoring

from ah_ray import storage
from ah_ray.config import Reduction
from ah_ray.errors import ErrorKind
from ah_ray.output.config import check_config, read_config
from ah_ray.output.lease import Lease
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.output.runs import read_summary, run_ids
from ah_ray.output.tables import write_tables

REPOSITORY = Path(__file__).parents[2]
VIDEOS = {
    "a": [0.1, 0.6],
    "b": [0.9, 0.8, ErrorKind.DECODE],
    "c": [0.3],
    "d": ErrorKind.UNREADABLE,
}


reduce = partial(said_by, "reduce")


def verdicts(out):
    columns = ["video_id", "p_ah", "answer", "reducer", "threshold"]
    return {r.pop("video_id"): r for r in read_verdicts(str(out), columns).to_pylist()}


@pytest.fixture
def scores(tmp_path):
    make_output(str(tmp_path / "scores"), VIDEOS)
    return tmp_path / "scores"


def test_another_reducer(scores, tmp_path):
    before = {path: path.read_bytes() for path in scores.rglob("*") if path.is_file()}
    out = tmp_path / "mean"
    said = reduce(scores, "--out", out, "--reducer", "mean", "--threshold", "0.35")
    found = verdicts(out)
    how = {"reducer": "mean", "threshold": 0.35}
    assert found["a"] == {"p_ah": pytest.approx(0.35), "answer": "Yes", **how}
    assert found["b"] == {"p_ah": pytest.approx(0.85), "answer": "Yes", **how}
    assert found["c"] == {"p_ah": 0.3, "answer": "No", **how}
    assert found["d"] == {"p_ah": None, "answer": None, **how}
    assert read_clips(str(out), ["answer"]).to_pydict()["answer"] == [
        "No", "Yes", "Yes", "Yes", None, "No",
    ]  # fmt: skip
    for part in ("failed", "partial", "written now", "mean, threshold 0.35"):
        assert part in said
    assert {path: path.read_bytes() for path in before} == before  # the input stays as it was


def test_a_terminal_obeys_no_name(scores, tmp_path):
    said = reduce(scores, "--out", tmp_path / "we\x1b[31mird [b]\n")
    assert "\x1b" not in said and said.startswith(f"{tmp_path}/we\\x1b[31mird [b]\\n: any")


def test_the_result_is_in_the_same_contract(scores, tmp_path):
    out = tmp_path / "mean"
    reduce(scores, "--out", out, "--reducer", "mean")
    unlike = {"p_ah", "answer", "reducer", "run_id"}
    old, new = (read_verdicts(str(folder)).drop(unlike) for folder in (scores, out))
    assert old == new  # provenance of the scores, their time and cost
    names = {path.name for path in (out / "videos").iterdir()}
    assert names == {path.name for path in (scores / "videos").iterdir()}
    assert check_config(str(out), scoring(), Reduction(reducer="mean"))  # score.py can go on here
    (run_id,) = run_ids(str(out))
    summary = read_summary(str(out), run_id)
    assert set(read_verdicts(str(out))["run_id"].to_pylist()) == {run_id}
    assert (summary.job, summary.exit_status, summary.videos_done) == ("reduce", 0, 4)
    assert summary.counts.by_status == {"ok": 2, "partial": 1, "failed": 1}
    assert not (out / "lease.json").exists()


def test_run_again_it_writes_only_what_changed(scores, tmp_path):
    out = tmp_path / "mean"
    reduce(scores, "--out", out, "--reducer", "mean")
    times = {path: path.stat().st_mtime_ns for path in (out / "videos").iterdir()}
    rows = make_output(str(scores), {"b": [0.2]}, etag="etag-2")
    rows += make_output(str(scores), {"a": VIDEOS["a"], "e": [0.4]})
    write_tables(str(scores), map(name_of, rows))  # c and d have left
    reduce(scores, "--out", out, "--reducer", "mean")
    assert list(verdicts(out)) == ["a", "b", "e"]
    assert verdicts(out)["b"]["p_ah"] == 0.2
    names = sorted(path.name[0] for path in (out / "videos").iterdir())
    assert names == ["a", "b", "c", "d", "e"]  # one file each: b's older one went
    for path, then in times.items():
        assert not path.exists() or path.stat().st_mtime_ns == then
    assert [read_summary(str(out), run).videos_done for run in run_ids(str(out))] == [4, 2]


@pytest.fixture
def three(tmp_path):
    """Outputs of three models: together a vote with every case in it."""
    videos = [
        {"all": [0.1, 0.9], "two": [0.7], "one": [0.2], "none": [0.4], "tie": [0.6], "x": [0.5]},
        {"all": [0.6, 0.1], "two": [0.8], "one": [0.9], "none": [0.3], "tie": [0.1], "x": [0.1]},
        {"all": [0.5, 0.5], "two": [0.4], "one": [0.1], "none": [0.2], "tie": ErrorKind.CRASH},
    ]
    outputs = []
    for number, found in enumerate(videos):
        outputs.append(tmp_path / f"scores-{number}")
        made_at = SCORED_AT + timedelta(days=number)
        make_output(str(outputs[-1]), found, by=scoring(f"model-{number}"), scored_at=made_at)
    return outputs


def test_vote(three, tmp_path):
    out = tmp_path / "vote"
    said = reduce(*three, "--out", out)
    found = {video: (v["p_ah"], v["answer"]) for video, v in verdicts(out).items()}
    assert found == {
        "all": (1.0, "Yes"),
        "two": (2 / 3, "Yes"),
        "one": (1 / 3, "No"),
        "none": (0.0, "No"),
        "tie": (0.5, "No"),
        "x": (0.5, "No"),
    }
    for part in ("only in some inputs", "not in input 3", "failed in input 3"):
        assert part in said
    rows = {r["video_id"]: r for r in read_verdicts(str(out)).to_pylist()}
    assert rows["x"]["error"] == "1 of 3 members left out (input 3 has no row of it)"
    assert {v: r["status"] for v, r in rows.items() if r["status"] != "ok"} == {
        "tie": "partial",
        "x": "partial",
    }
    assert rows["all"]["scored_at"] == SCORED_AT + timedelta(days=2)
    clips = read_clips(str(out)).to_pylist()
    assert clips[0]["model_p_ah"] == [0.1, 0.6, 0.5]
    summary = read_summary(str(out), run_ids(str(out))[0])
    assert summary.notes == {
        "only in some inputs": 1, "failed in input 3": 1, "not in input 3": 1, "unchanged": 0,
    }  # fmt: skip
    assert read_config(str(out)).reduction.ensemble == "vote"


def test_mean(three, tmp_path):
    out = tmp_path / "mean"
    reduce(*three, "--out", out, "--ensemble", "mean", "--threshold", "0.55")
    found = verdicts(out)
    assert {video: v["p_ah"] for video, v in found.items()} == {
        "all": pytest.approx((0.9 + 0.6 + 0.5) / 3),
        "two": pytest.approx((0.7 + 0.8 + 0.4) / 3),
        "one": pytest.approx((0.2 + 0.9 + 0.1) / 3),
        "none": pytest.approx((0.4 + 0.3 + 0.2) / 3),
        "tie": pytest.approx((0.6 + 0.1) / 2),
        "x": pytest.approx((0.5 + 0.1) / 2),
    }
    assert [v["answer"] for v in found.values()] == ["Yes", "No", "No", "No", "Yes", "No"]
    assert list(found) == ["all", "none", "one", "tie", "two", "x"]


def test_an_ensemble_again_writes_nothing(three, tmp_path):
    out = tmp_path / "vote"
    reduce(*three, "--out", out)
    reduce(*three, "--out", out)
    assert [read_summary(str(out), run).videos_done for run in run_ids(str(out))] == [6, 0]


def test_on_s3(bucket, tmp_path):
    scores, out = f"s3://{bucket}/scores", f"s3://{bucket}/mean"
    make_output(scores, VIDEOS)
    reduce(scores, "--out", out, "--reducer", "mean", "--threshold", "0.35")
    make_output(str(tmp_path / "scores"), VIDEOS)
    reduce(tmp_path / "scores", "--out", tmp_path / "out", "--reducer", "mean", "--threshold", 0.35)
    assert verdicts(out) == verdicts(tmp_path / "out")
    assert run_ids(out)
    assert not storage.exists(f"{out}/lease.json")


def test_mistakes_are_one_line(scores, tmp_path):
    out = tmp_path / "x"
    said = reduce(scores, "--out", out, "--reducer", "median", status=2)
    assert "--reducer median" in said and "noisyor" in said
    assert "--threshold" in reduce(scores, "--out", out, "--threshold", 1.5, status=2)
    assert "is no output of ah_ray" in reduce(tmp_path / "none", "--out", out, status=2)
    assert not out.exists()


def test_held_by_another(scores, tmp_path):
    with Lease.acquire(str(tmp_path / "x"), "run-of-another", stale_s=2):
        said = reduce(scores, "--out", tmp_path / "x", status=4)
    assert "run-of-another" in said


def test_starts_quickly():
    modules = "import sys, time, jobs.reduce; print(time.process_time(), *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", modules], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    cpu_s, *loaded = done.stdout.split()
    assert not {"ray", "torch", "transformers", "ffmpeg"} & set(loaded)
    assert float(cpu_s) < 2


def test_stopped_and_run_again(tmp_path):
    scores, out = tmp_path / "scores", tmp_path / "out"
    make_output(str(scores), {f"v{n:04d}": [n / 400] for n in range(400)})
    command = [sys.executable, "jobs/reduce.py", str(scores), "--out", str(out)]
    job = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
    while not any((out / "videos").glob("*.parquet")):
        time.sleep(0.005)
    job.send_signal(signal.SIGTERM)
    said = job.communicate(timeout=60)[0].decode()
    assert job.returncode == 3
    assert "Run it again to go on" in said
    (run_id,) = run_ids(str(out))
    first = read_summary(str(out), run_id)
    assert (first.exit_status, first.trouble) == (3, "stopped")
    assert 0 < first.counts.rows < 400
    assert read_verdicts(str(out)).num_rows == first.counts.rows

    reduce(scores, "--out", out)
    assert read_verdicts(str(out)).num_rows == 400
    last = read_summary(str(out), run_ids(str(out))[-1])
    assert last.videos_done == 400 - first.counts.rows  # none twice


def test_the_config_says_nothing_of_places(three, tmp_path):
    out = tmp_path / "vote"
    reduce(*three, "--out", out)
    files = [out / "config.json", *(out / "runs").iterdir()]
    assert not any(str(tmp_path) in path.read_text() for path in files)
    assert json.loads(files[0].read_text())["members"][1]["scoring"]["model"] == "model-1"
