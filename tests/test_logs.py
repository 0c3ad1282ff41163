"""Lines for machines: what they carry, and what they never do."""

import io
import json
import logging

import pytest

from ah_ray import logs
from ah_ray.logs import LogSettings, find_secrets, scrub_text


@pytest.fixture
def logged():
    """Lines of events, by the settings of the process."""

    def run(log, **settings) -> list[str]:
        stream = io.StringIO()
        logs.start(LogSettings(**settings), stream)
        log()
        return stream.getvalue().splitlines()

    yield run
    logger = logging.getLogger("ah_ray")
    logger.handlers, logger.propagate = [logging.NullHandler()], True


def test_a_line_is_json_with_what_it_is_about(logged):
    def log():
        logs.event("video", "it broke", level=logging.WARNING, video_id="v", kind=None, n_clips=3)

    (line,) = logged(log, json=True, run_id="run-1")
    said = json.loads(line)
    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "warning", "event": "video", "run_id": "run-1", "video_id": "v", "n_clips": 3,
        "text": "it broke",
    }  # fmt: skip


def test_a_name_cannot_break_a_line(logged):
    lines = logged(lambda: logs.event("video", 'a\nb"\x1b[31m'), json=True)
    assert len(lines) == 1
    assert json.loads(lines[0])["text"] == 'a\nb"\x1b[31m'
    assert "\x1b" not in lines[0]


def test_nor_does_it_speak_to_the_terminal_of_who_reads_the_log(logged):
    (line,) = logged(lambda: logs.event("video", "a\nb\x1b[31m", uri="c\nd\x1b[31m"))
    assert line.isprintable() and "a\\nb\\x1b[31m" in line


def test_lines_for_people_say_the_same(logged):
    (line,) = logged(lambda: logs.event("row", "done", video_id="v"), run_id="run-1")
    assert line.endswith("INFO row done run_id='run-1' video_id='v'")


def test_no_line_holds_a_secret(logged, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "token-of-the-cluster")

    def log():
        logs.event(
            "notice",
            "denied for wJalrXUtnFEMI/K7MDENG at https://anna:pass@host/x?X-Amz-Signature=abc&a=1",
            error="token-of-the-cluster",
            settings={"url": "https://anna:pass@host/", "more": ["token-of-the-cluster"]},
        )

    for lines in (logged(log, json=True), logged(log)):
        for secret in ("wJalrXUtnFEMI", "token-of-the-cluster", "anna", "pass@", "abc"):
            assert secret not in lines[0]
        assert "host" in lines[0] and "a=1" in lines[0]


def test_hidden_paths_are_in_no_line(logged):
    def log():
        logs.event("notice", "copying s3://study/anna.mp4 to /data/x failed", uri="/study/anna.mp4")

    (line,) = logged(log, json=True, hide_uris=True)
    assert "anna" not in line and "study" not in line
    assert json.loads(line)["text"] == "copying … to … failed"


def test_short_values_take_no_words_with_them(monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "e")
    assert scrub_text("here", find_secrets()) == "here"


def test_a_library_is_silent(capsys):
    logs.event("notice", "hello", level=logging.ERROR)
    assert capsys.readouterr() == ("", "")
