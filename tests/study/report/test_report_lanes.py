"""Answers to further questions beneath the timeline of a video: the page's data, and the page."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from chromium import needs_chromium
from invented_rows import make_output, row, scoring, why_profile
from playwright.sync_api import expect

from ah_ray.errors import ErrorKind
from ah_ray.output.read import read_clips
from ah_ray.output.tables import flat_clips
from ah_ray.profile import load_profile
from ah_ray.records import VERDICT, VERDICTS
from ah_ray.study.report.lanes import describe_lanes, lane_columns
from ah_ray.study.report.make import make_report
from ah_ray.study.report.page import embed_json
from ah_ray.study.report.settings import ReportSettings

WHY = scoring(profile=why_profile())


def tables(*rows: dict) -> tuple[pa.Table, pa.Table]:
    whole = pa.Table.from_pylist(list(rows), schema=VERDICT)
    return whole.select(VERDICTS.names), flat_clips(whole.combine_chunks())


def test_one_question_has_no_lanes():
    assert describe_lanes([load_profile("seed")]) is None


def test_lanes_are_the_further_questions():
    lanes = describe_lanes([load_profile("seed"), load_profile("seed-why")])
    questions = {one["name"]: one for one in lanes["questions"]}
    assert [name for name, one in questions.items() if one["compared"]] == [
        "face",
        "voice",
        "words",
    ]
    assert questions["face"]["answers"] == ["positive", "neutral", "negative"]
    assert questions["face"]["positive"] is None and questions["speech"]["positive"] == 0
    assert lanes["contrasts"] == ["face-voice", "face-words", "voice-words"]


def test_each_clip_keeps_its_place():
    rows = [
        row("a", [0.9, ErrorKind.DECODE, 0.1], by=WHY),
        row("b", ErrorKind.TIMEOUT, by=WHY),
        row("c", [0.5]),  # of before
    ]
    verdicts, clips = tables(*rows)
    found = lane_columns(describe_lanes([why_profile()]), clips, verdicts["video_id"])
    face, voice, seen = found["answers"][0]
    p = [one["p"] for one in rows[0]["clips"][0]["answers"] if one["question"] == "face"]
    assert face[:3] == [round(1000 * one) for one in p]
    assert face[3:6] == voice[3:6] == [-1] * 3 and len(face) == len(voice) == 9
    assert len(seen) == 6 and seen[2:4] == [-1, -1]
    assert found["answers"][1:] == [[[], [], []], [[-1] * 3, [-1] * 3, [-1] * 2]]
    assert [contrast[1] for contrast in found["contrasts"][0]] == [-1]
    assert found["contrasts"][1:] == [[[]], [[-1]]]


def test_ten_thousand_videos_with_lanes_stay_small():
    """Each of 50 videos counts for 200: a page is at most 25 MB, and its lanes a fifth of that."""
    by = scoring(profile=load_profile("seed-why"))
    verdicts, clips = tables(*(row(f"{n:016x}", [0.5] * 6, by=by) for n in range(50)))
    lanes = describe_lanes([by.profile])
    written = embed_json(lane_columns(lanes, clips, verdicts["video_id"]))
    assert 200 * len(written) < 8e6


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    out = str(tmp_path_factory.mktemp("lanes") / "scores")
    make_output(out, {"a": [0.9, ErrorKind.DECODE, 0.1, 0.8], "b": ErrorKind.TIMEOUT}, by=WHY)
    return Path(make_report(ReportSettings(out=out)).file)


@needs_chromium
@pytest.mark.parametrize("width", [360, 1280])
def test_lanes_are_drawn_and_said(opened, page_file, width):
    page = opened(page_file, viewport={"width": width, "height": 900}).page
    page.click("#rows a")
    expect(page.locator("#video-title")).to_have_text("a")
    lanes = page.locator("#video svg.chart [class^=lane-]")
    assert lanes.count() == 3 * 3  # three questions about three clips that were scored
    words = page.locator("#video svg.chart text").all_text_contents()
    assert words[-4:] == ["face", "voice", "seen", "face-voice"]
    drawing = page.locator("#video svg.chart").bounding_box()
    last = page.locator("#video svg.chart text").last.bounding_box()
    assert last["x"] + last["width"] <= drawing["x"] + drawing["width"]
    assert last["y"] + last["height"] <= drawing["y"] + drawing["height"]
    clips = read_clips(str(page_file.parent)).to_pylist()
    said = page.locator("#video .readings li").all_text_contents()
    assert len(said) == 2  # the Yes clips
    p = {(one["question"], one["answer"]): one["p"] for one in clips[0]["answers"]}
    face, voice = (
        max((key for key in p if key[0] == name), key=lambda key: p[key])
        for name in ("face", "voice")
    )
    numbers = [f"{p[key]:.2f}".removeprefix("0") for key in (face, voice)]
    assert said[0] == (
        f"0:00–0:05: the face reads {face[1]} ({numbers[0]}), the voice {voice[1]} ({numbers[1]})"
    )
    assert "have not been validated" in page.inner_text("#video")
    assert "seen" in page.locator("#video tbody tr").first.inner_text()


@needs_chromium
def test_a_video_without_clips_has_none(opened, page_file):
    page = opened(page_file).page
    page.goto(page_file.as_uri() + "#video=b")
    expect(page.locator("#video-title")).to_have_text("b")
    assert page.locator("#video svg.chart").count() == 0
