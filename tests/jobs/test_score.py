"""jobs/score.py as a user meets it: wrong configuration, the plan, a night with nothing to do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from in_process import run_here
from outputs import run_score, verdicts

CONFIG = 2
SWIFT = Path(__file__).parents[1] / "goldens/swift"


@pytest.fixture
def cohort(tmp_path):
    """Two recordings that no decoder can open: enough for all that comes before decoding."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"not a video")
    (folder / "b.webm").touch()
    (folder / "c.txt").touch()
    return folder


def refused(*arguments, match: str) -> None:
    """The job ends within seconds, with one sentence and exit status 2. Storage that is only slow
    would be tried for a minute."""
    started = time.monotonic()
    ended = run_here("score", *arguments)
    assert time.monotonic() - started < 40
    assert ended.returncode == CONFIG, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert match in line
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            ("--profile", "seed-449"),
            "neither a built-in profile (seed, seed-32, seed-448, seed-448-why, seed-inference",
        ),
        (("--model", "/no/such/model"), "no such directory"),
        (("--videos", "/no/such/folder"), "/no/such/folder cannot be read"),
        (("--videos", "gopher://x/y"), "gopher"),
        (("--out", "/proc/scores"), "cannot be written to"),
        (("--reducer", "median"), "choose one of any, mean"),
        (("--threshold", "1.5"), "--threshold"),
        (("--window-s", "0"), "--window-s"),
        (("--limit", "0"), "--limit"),
        (("--tail", "cut"), "--tail"),
        (("--endings", ".avi"), "holds no video"),
        (("--id-key", "/no/key"), "--id-key"),
        (("--config", "/no/settings.yaml"), "--config"),
        (("--colour", "blue"), "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_setting_is_one_sentence_and_exit_2(change, match, cohort, tmp_path):
    settings = {"--videos": cohort, "--out": tmp_path / "out", "--model": "tiny"}
    settings |= {change[0]: change[1]}
    refused(*(word for pair in settings.items() for word in pair), match=match)
    assert not (tmp_path / "out" / "videos").exists()


def test_a_profile_that_the_adapter_was_not_trained_with_ends_the_run(cohort, tmp_path):
    settings = ("--videos", cohort, "--out", tmp_path / "out", "--model", "tiny")
    settings += ("--adapter", SWIFT / "lora_swift460", "--any-base")
    wrong = ("--profile", "seed")
    refused(*settings, *wrong, match="args.json of lora_swift460 says ms-swift 4.6.0, which is "
            "profile swift-4.6")  # fmt: skip
    chosen = run_here("score", *settings, "--plan")
    assert chosen.returncode == 0, chosen.stderr
    assert "profile swift-4.6" in chosen.stdout
    assert "Profile     args.json of lora_swift460 says ms-swift 4.6.0" in chosen.stdout
    anyway = run_here("score", *settings, *wrong, "--profile-anyway", "--plan")
    assert anyway.returncode == 0, anyway.stderr
    assert "profile seed" in anyway.stdout and "Profile  " not in anyway.stdout


def test_missing_settings_are_named():
    refused(match="--videos is missing")
    refused("--videos", "x", "--out", "y", match="--model is missing")


def test_the_demo_takes_no_cohort(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused("--demo", "--plan", match="leave out --plan")
    refused("--demo", "--videos", "x", match="leave out --videos")
    assert not list(tmp_path.iterdir())


def test_an_output_that_ray_would_delete_is_refused(cohort, tmp_path, monkeypatch):
    copy = tmp_path / "runtime_resources/working_dir_files/_ray_pkg_0123"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    refused("--videos", cohort, "--out", "scores", "--model", "tiny",
            match="--out scores: that is in the copy of the working directory")  # fmt: skip
    assert not list(copy.iterdir())


def test_an_unreadable_bucket(s3_server, tmp_path):
    refused("--videos", "s3://no-such-bucket/x", "--out", tmp_path, "--model", "tiny",
            match="s3://no-such-bucket/x cannot be read")  # fmt: skip


def test_an_endpoint_that_is_not_there(s3_server, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    refused("--videos", "s3://bucket/x", "--out", tmp_path, "--model", "tiny",
            match="s3://bucket/x cannot be read")  # fmt: skip


def test_a_manifest_names_all_its_bad_lines(tmp_path):
    manifest = tmp_path / "cohort.csv"
    manifest.write_text("uri,video_id\na.mp4,one\nb.mp4,one\nc.mp4,no spaces please\n")
    ended = run_here("score", "--videos", manifest, "--out", tmp_path / "out", "--model", "tiny")
    assert ended.returncode == CONFIG
    assert "line 3" in ended.stderr and "line 4" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_from_a_file_and_flags_win(cohort, tmp_path):
    settings = {"videos": str(cohort), "out": str(tmp_path / "out"), "model": "nowhere"}
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump({**settings, "max-failed": 1}))
    ended = run_here("score", "--config", file, "--model", "tiny", "--plan")
    assert ended.returncode == 0, ended.stderr
    assert "2 new" in ended.stdout
    file.write_text(yaml.safe_dump({**settings, "colour": "blue"}))
    refused("--config", file, match="colour: there is no such setting")


def test_the_plan_does_nothing(cohort, tmp_path):
    out = tmp_path / "out"
    settings = ("--videos", cohort, "--out", out, "--model", "tiny")
    ended = run_here("score", *settings, "--plan", "--limit", 1)
    assert ended.returncode == 0, ended.stderr
    for words in ("2 videos", "2 new", "1 of them put off", "1 .txt", "Nothing was done"):
        assert words in ended.stdout
    assert not out.exists()


@pytest.mark.slow
def test_a_night_with_nothing_pending_starts_no_ray(cohort, tmp_path):
    out = tmp_path / "out"
    settings = ("--videos", cohort, "--out", out, "--model", "tiny", "--max-failed", 1)
    first = run_score(*settings)
    assert first.returncode == 0, first.stderr
    assert "upload the recording again" in first.stdout
    assert "Exit status 0" in first.stdout
    (cohort / "b.webm").unlink()
    second = run_score(*settings, RAY_TMPDIR=str(tmp_path / "ray"))
    assert second.returncode == 0, second.stderr
    assert "nothing was pending" in second.stdout
    assert not (tmp_path / "ray").exists(), "a Ray was started"
    assert len(verdicts(out)) == 1, "the removed video must leave"


def test_where_ray_does_not_start(cohort, tmp_path):
    (tmp_path / "full").touch()  # no folder: Ray can lay down nothing in it
    settings = ("--videos", cohort, "--out", tmp_path / "out", "--model", "tiny")
    ended = run_score(*settings, RAY_TMPDIR=str(tmp_path / "full"))
    assert ended.returncode == 2, ended.stderr  # a setting of the user's names the wrong folder
    last = ended.stderr.splitlines()[-1]
    assert "error: Ray does not start on this machine: it writes to" in last
    assert "set RAY_TMPDIR to a folder" in last
    assert "Traceback" not in ended.stderr
