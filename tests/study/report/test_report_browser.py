"""The page in a real browser, from disk: what a reader does with it, by mouse and by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import needs_chromium
from invented_rows import make_output
from playwright.sync_api import expect

from ah_ray.config import Reduction
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.study.report.make import make_report
from ah_ray.study.report.settings import ReportSettings
from ah_ray.verdicts.reduction import Scaling

pytestmark = needs_chromium


def by_score(file: Path) -> list[str]:
    """As the table should list them at first."""
    rows = read_verdicts(str(file.parent), ["video_id", "p_ah"]).to_pylist()
    shown = {row["video_id"]: row["p_ah"] and round(1000 * row["p_ah"]) for row in rows}
    return sorted(shown, key=lambda name: (shown[name] is None, -(shown[name] or 0), name))


def test_searching(opened, labelled_page):
    one = opened(labelled_page)
    some = one.ids()[3]
    one.page.fill("#search", some.upper())
    assert some in one.ids()
    assert all(some in name for name in one.ids())
    one.page.fill("#search", "unreadable")
    assert one.cell(2) == ["–"]
    one.page.fill("#search", "unreadable val")  # every word must be there
    assert one.ids() == []
    assert one.page.inner_text("#found") == "No video matches"
    one.page.fill("#search", "")
    assert len(one.ids()) == 50


def test_filtering_by_answer_and_label(opened, labelled_page):
    one = opened(labelled_page)
    one.page.select_option("#which", "N")
    assert set(one.cell(2)) == {"No"}
    one.page.select_option("#which", "failed")
    assert set(one.cell(2)) == {"–"}
    assert one.page.inner_text("#found") == "1–2 of 2 videos"
    one.page.select_option("#which", "wrong")
    pairs = set(zip(one.cell(2), one.cell(3), strict=True))
    assert pairs <= {("Yes", "not A/H"), ("No", "A/H")}
    assert pairs


def test_sorting_and_turning_pages(opened, labelled_page):
    one = opened(labelled_page)
    expected = by_score(labelled_page)
    assert one.ids() == expected[:50]
    one.page.click("#forward")
    assert one.ids() == expected[50:100]
    one.page.click("#last")
    assert one.ids() == expected[len(expected) // 50 * 50 :]
    assert one.page.is_disabled("#forward")
    one.page.click("#heads button:has-text('Score')")
    scores = [float(text) for text in one.cell(4)]
    assert scores == sorted(scores)
    one.page.click("#heads button:has-text('Video')")
    assert one.ids() == sorted(expected)[:50]
    assert one.page.locator("#heads [aria-sort]").get_attribute("aria-sort") == "ascending"
    one.page.click("#heads button:has-text('Length')")
    assert one.cell(7)[0] == max(one.cell(7))


def test_opening_one_video(opened, labelled_page):
    one = opened(labelled_page)
    name = one.ids()[0]
    clips = read_clips(str(labelled_page.parent)).to_pylist()
    clips = [clip for clip in clips if clip["video_id"] == name]
    one.page.click("#rows tr:first-child td:nth-child(4)")  # anywhere in the row
    expect(one.page.locator("#video-title")).to_have_text(name)
    rows = one.page.locator("#video tbody tr").all_inner_texts()
    assert len(rows) == len(clips)
    for text, clip in zip(rows, clips, strict=True):
        assert f"{clip['p_ah']:.3f}" in text
        assert clip["answer"] in text
    bars = one.page.locator("#video svg.chart rect.mark-yes, #video svg.chart rect.mark-no")
    assert bars.count() == len(clips)
    assert one.page.locator("#video svg.chart line.threshold").count() == 1
    assert one.page.locator("#video svg.chart rect.mark-marked").count() == 1
    one.page.click("text=Next video")
    expect(one.page.locator("#video-title")).to_have_text(by_score(labelled_page)[1])
    one.page.click("#video .close")
    expect(one.page.locator("#video")).to_be_hidden()


def test_a_calibrated_video_that_is_nearly_a_yes(opened, tmp_path):
    out = str(tmp_path / "scores")
    calibrated = Reduction(threshold=0.39, scaling=Scaling(slope=0.08), calibration_fingerprint="c")
    make_output(out, {"a": [0.003714]}, reduction=calibrated)
    one = opened(Path(make_report(ReportSettings(out=out)).file))
    one.page.click("#rows a")
    expect(one.page.locator("#video")).to_be_visible()
    said = one.page.inner_text("#video .lead")
    assert (
        said
        == "No, with a score of 0.38999. 0 of 1 clips are a Yes; the highest is 0.38999 at 0:00."
    )
    assert "Scores of clips are calibrated" in one.page.inner_text("#video")
    assert one.page.locator("#video svg.chart text").last.text_content() == "Yes from 0.39 on"


@pytest.mark.parametrize("width", [360, 1280])
def test_words_beside_a_timeline_are_whole(opened, tmp_path, width):
    out = str(tmp_path / "scores")
    make_output(out, {"a": [0.123456] * 20}, reduction=Reduction(threshold=0.1234567))
    page = opened(
        Path(make_report(ReportSettings(out=out)).file), viewport={"width": width, "height": 800}
    ).page
    page.click("#rows a")
    expect(page.locator("#video")).to_be_visible()
    drawing = page.locator("#video svg.chart").bounding_box()
    words = page.locator("#video svg.chart text").last
    assert words.text_content() == "Yes from 0.1235 on"
    box = words.bounding_box()
    assert box["x"] + box["width"] <= drawing["x"] + drawing["width"]


def test_an_address_opens_its_video(opened, labelled_page):
    one = opened(labelled_page)
    name = one.ids()[7]
    one.page.goto(labelled_page.as_uri() + f"#video={name}")
    expect(one.page.locator("#video-title")).to_have_text(name)
    one.page.goto(labelled_page.as_uri() + "#video=nobody%E0%A4")
    expect(one.page.locator("#video")).to_be_hidden()


def test_by_keyboard_alone(opened, labelled_page):
    one = opened(labelled_page)
    keyboard = one.page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(80):
            keyboard.press("Tab")
            if one.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"{selector} is not reached by Tab")

    keyboard.press("Tab")
    assert one.page.evaluate("document.activeElement.className") == "skip"
    keyboard.press("Enter")
    tab_to("#search")
    keyboard.type("test")
    tab_to("#heads button")  # of the first column
    keyboard.press("Enter")
    assert one.page.evaluate("document.activeElement.textContent") == "Video ↑"
    tab_to("#rows a")
    first, second = one.ids()[:2]
    keyboard.press("Enter")
    expect(one.page.locator("#video-title")).to_have_text(first)
    tab_to(".bar button:nth-child(3)")
    keyboard.press("Enter")
    expect(one.page.locator("#video-title")).to_have_text(second)
    keyboard.press("Escape")
    expect(one.page.locator("#video")).to_be_hidden()
    expect(one.page.locator("#rows a:focus")).to_have_text(second)


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)], ids=str
)
def test_axe_finds_no_violation(opened, labelled_page, scheme, width):
    one = opened(labelled_page, color_scheme=scheme, viewport={"width": width, "height": 800})
    one.page.fill("#search", "test-01")  # a row is like another, and axe takes its time
    one.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    for state in ("the page", "one video"):
        found = Axe().run(one.page)
        assert found.violations_count == 0, f"{state}: {found.generate_report()}"
        one.page.locator("#rows a").first.evaluate("link => link.click()")
        expect(one.page.locator("#video")).to_be_visible()
