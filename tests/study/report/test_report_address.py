"""What a reader takes away from the page: its address, its rows as CSV, paper, and a recording."""

from __future__ import annotations

import csv
import io
import re
import time
from pathlib import Path

import pytest
from chromium import needs_chromium
from invented_rows import make_output
from playwright.sync_api import expect
from study.report.browsing import PATIENCE_MS

from ah_ray import storage
from ah_ray.errors import ErrorKind
from ah_ray.media.ffmpeg.synthetic import random_scenes, write_video
from ah_ray.study.report.make import make_report
from ah_ray.study.report.settings import ReportSettings

pytestmark = [needs_chromium, pytest.mark.heavy]
FORMULAS = ("=1+1", "+cmd", "-2", "@sum", "\t=1", " =1", '"=1', "＝1", "'=1")


def test_the_address_restores_the_view(opened, labelled_page):
    one = opened(labelled_page)
    page = one.page
    page.fill("#search", "test-0")
    page.select_option("#which", "N")
    page.click("#heads button:has-text('Length')")
    page.click("#heads button:has-text('Length')")
    page.locator("#rows th a").nth(2).click()
    expect(page.locator("#video")).to_be_visible()
    address, ids, title = page.url, one.ids(), page.inner_text("#video-title")
    other = opened(labelled_page)
    other.page.goto(address)
    expect(other.page.locator("#video-title")).to_have_text(title)
    assert other.ids() == ids
    assert other.page.input_value("#search") == "test-0"
    assert other.page.input_value("#which") == "N"
    assert other.page.locator("#heads [aria-sort]").get_attribute("aria-sort") == "ascending"
    assert other.page.locator("#heads [aria-sort]").inner_text() == "Length ↑"
    other.page.keyboard.press("Escape")
    expect(other.page.locator("#video")).to_be_hidden()
    assert "video=" not in other.page.url and "search=test-0" in other.page.url
    other.page.fill("#search", "")
    other.page.select_option("#which", "all")
    assert "search" not in other.page.url


def test_the_address_keeps_the_page_of_the_table(opened, labelled_page):
    one = opened(labelled_page)
    one.page.click("#forward")
    ids, other = one.ids(), opened(labelled_page)
    other.page.goto(one.page.url)
    expect(other.page.locator("#where")).to_contain_text("Page 2 of")
    assert other.ids() == ids
    one.page.fill("#search", "test")  # another search begins at its first page
    assert one.page.inner_text("#where").startswith("Page 1 of")


def test_back_closes_what_was_opened(opened, labelled_page):
    page = opened(labelled_page).page
    page.locator("#rows th a").first.click()
    expect(page.locator("#video")).to_be_visible()
    page.go_back()
    expect(page.locator("#video")).to_be_hidden()


@pytest.mark.parametrize(
    "address",
    ["#video=unknown", "#participant=unknown", "#video=%E0%A4", "#video=unknown&search=test"],
)
def test_an_unknown_address_is_reported(opened, labelled_page, address):
    page = opened(labelled_page).page
    page.goto(labelled_page.as_uri() + address)
    expect(page.locator("#unknown")).to_be_visible()
    assert re.match(r"This page has no (video|participant) “", page.inner_text("#unknown"))
    assert page.locator("dialog[open]").count() == 0
    page.locator("#rows th a").first.click()
    expect(page.locator("#video")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#unknown")).to_be_hidden()


@pytest.mark.parametrize(
    "address", ["#which=nothing&sort=Nothing&page=99", "#page=-3&order=x", "#which=Y'\"]&x=1"]
)
def test_a_wrong_address_shows_the_table(opened, labelled_page, address):
    one = opened(labelled_page)
    one.page.goto(labelled_page.as_uri() + address)
    expect(one.page.locator("#found")).to_contain_text("of")
    assert one.ids()


def rows_of(page, button: str, file: Path) -> list[dict[str, str]]:
    with page.expect_download() as waiting:
        page.click(button)
    waiting.value.save_as(file)
    raw = file.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") and raw.endswith(b"\r\n")  # what spreadsheets expect
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def test_filtered_rows_are_saved_as_csv(opened, labelled_page, tmp_path):
    one = opened(labelled_page)
    one.page.select_option("#which", "N")
    one.page.fill("#search", "test-01")
    rows = rows_of(one.page, "#save", tmp_path / "videos.csv")
    assert [row["video_id"] for row in rows] == one.ids()
    assert {row["answer"] for row in rows} == {"No"}
    assert [f"{float(row['p_ah']):.3f}" for row in rows] == one.cell(4)
    assert {row["label"] for row in rows} <= {"0", "1"}
    one.page.fill("#search", "nothing like it")
    assert one.page.is_disabled("#save")


def test_no_cell_of_a_csv_is_a_formula(opened, tmp_path):
    out = str(tmp_path / "scores")
    table = tmp_path / "people.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["video_id", "participant", "visit", "question"])
        for place, text in enumerate(FORMULAS):
            writer.writerow([f"v{place}", f"person{text}", text, text])
    make_output(out, {f"v{place}": [0.5] for place in range(len(FORMULAS))})
    file = Path(make_report(ReportSettings(out=out, participants=str(table))).file)
    page = opened(file).page
    rows = rows_of(page, "#save", tmp_path / "videos.csv")
    assert len(rows) == len(FORMULAS)
    for row in rows:
        for name in ("visit", "question"):
            assert row[name].startswith("'"), row
    escaped = page.evaluate("texts => texts.map(csv_cell)", [*FORMULAS, "a,b", 'a"b', "plain", -2])
    for text, cell in zip(FORMULAS, escaped, strict=False):
        assert next(csv.reader([cell]))[0] == f"'{text}"
    assert escaped[len(FORMULAS) :] == ['"a,b"', '"a""b"', "plain", "-2"]


def test_one_video_on_paper_says_what_it_is_of(opened, labelled_page):
    page = opened(labelled_page).page
    page.locator("#rows th a").first.click()
    expect(page.locator("#video")).to_be_visible()
    assert not page.is_visible("#video .printed")
    page.emulate_media(media="print")
    words = page.inner_text("#video .printed")
    assert "Ambivalence and hesitancy in recordings" in words
    assert "2 January 2026" in words
    assert "model-a" in words
    assert "not a diagnosis" in words


def test_a_printed_table_names_its_filter(opened, labelled_page):
    page = opened(labelled_page).page
    page.fill("#search", "test-01")
    page.select_option("#which", "N")
    assert not page.is_visible("#filter")
    page.emulate_media(media="print")
    words = page.inner_text("#filter")
    assert words.startswith("Filter: No that match “test-01”, by Score in descending order.")
    assert page.inner_text("#found") in words
    assert "model-a, 2 January 2026" in words and "not a diagnosis" in words
    assert not page.is_visible("#save")


def wait_until(page, expression: str) -> None:
    """Wait in Python: the page's policy forbids the browser to evaluate strings by itself."""
    until = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < until, f"never: {expression}"
        page.wait_for_timeout(50)


@pytest.fixture
def recording(tmp_path) -> Path:
    """12 seconds of faces, with sound."""
    file = tmp_path / "faces #1 50%.mp4"
    write_video(file, random_scenes(3, seed=1))
    return file


def test_a_recording_plays_at_its_clip(opened, recording, tmp_path):
    out, etag = str(tmp_path / "scores"), storage.stat(str(recording)).etag
    make_output(out, {"a": [0.1, 0.9, 0.2]}, uri=str(recording), etag=etag)
    one = opened(Path(make_report(ReportSettings(out=out, link_videos=True)).file))
    one.recordings.add(recording.as_uri())
    page = one.page
    page.click("#rows th a")
    expect(page.locator("#video")).to_be_visible()
    assert not page.is_visible("#player")
    page.click("#video .play >> nth=1")  # from 5 s to 10 s
    wait_until(page, "document.getElementById('player').currentTime > 5.2")
    assert page.evaluate("document.getElementById('player').currentTime") < 10.5
    assert page.inner_text("#player-news") == "Playing 0:05 to 0:10."
    page.evaluate("document.getElementById('player').currentTime = 9.7")
    wait_until(page, "document.getElementById('player').paused")
    assert 9.7 <= page.evaluate("document.getElementById('player').currentTime") < 11
    page.click("#video .play >> nth=0")
    wait_until(page, "document.getElementById('player').currentTime < 5")
    page.click("#video .close")
    expect(page.locator("#video")).to_be_hidden()
    assert page.evaluate("PLAYER.paused && !PLAYER.hasAttribute('src')")


def test_a_recording_that_is_gone_says_so(opened, tmp_path):
    out = str(tmp_path / "scores")
    make_output(out, {"a": [0.9]}, uri="/cohort/gone.mp4")
    one = opened(Path(make_report(ReportSettings(out=out, link_videos=True)).file))
    one.recordings.add("file:///cohort/gone.mp4")
    one.page.click("#rows th a")
    one.page.click("#video .play")
    expect(one.page.locator("#player-news")).to_contain_text("cannot play the recording")
    one.complaints.clear()  # the browser's own line about the missing file


def test_only_linked_recordings_that_a_browser_can_open_play(opened, bucket, tmp_path):
    outs = {}
    for name, uri in (("disk", "/cohort/a.mp4"), ("store", f"s3://{bucket}/a.mp4")):
        outs[name] = str(tmp_path / name)
        make_output(outs[name], {"a": [0.9], "b": ErrorKind.DECODE}, uri=uri)
    for out, settings, plays, policy in (
        (outs["disk"], {}, False, None),
        (outs["disk"], {"link_videos": True}, True, "media-src file:;"),
        (outs["store"], {"link_videos": True}, False, None),
    ):
        file = Path(make_report(ReportSettings(out=out, **settings)).file)
        text = file.read_text(encoding="utf-8")
        assert (policy in text) if policy else ("media-src" not in text)
        page = opened(file).page
        page.locator("#rows th a").first.click()
        expect(page.locator("#video")).to_be_visible()
        assert (page.locator("#video .play").count() == 1) == plays
