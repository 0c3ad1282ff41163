"""Participants in a real browser: their table, and the page of one with all visits over time."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import needs_chromium
from playwright.sync_api import expect

pytestmark = [needs_chromium, pytest.mark.heavy]


def test_the_cohort_by_participant(opened, visits):
    page = opened(visits).page
    names = page.locator("#participant-rows th a").all_inner_texts()
    assert names == ["anna", "bert"]
    cells = page.locator("#participant-rows tr:first-child > *").all_inner_texts()
    assert cells[:8] == ["anna", "4", "5", "1", "2 of 4", "50%", "0.525", "0.900"]
    assert "Of 1 video the participant is unknown." in page.inner_text("#participants")
    page.click("#participant-heads button:has-text('Mean score')")
    assert page.locator("#participant-rows th a").all_inner_texts() == ["anna", "bert"]
    page.click("#participant-heads button:has-text('Mean score')")
    assert page.locator("#participant-rows th a").all_inner_texts() == ["bert", "anna"]


def test_all_visits_of_one_participant(opened, visits):
    page = opened(visits).page
    page.click("#participant-rows th a >> nth=0")
    expect(page.locator("#participant-title")).to_have_text("Participant anna")
    assert "5 videos in 4 visits. 2 of 4 scored videos are a Yes" in page.inner_text("#participant")
    drawn = page.locator("#participant svg.chart")
    assert drawn.locator("rect.verdict").count() == 4
    assert drawn.locator("circle.clip-dot").count() == 7
    assert drawn.locator("g.lost").count() == 1  # the video that was not scored
    assert drawn.locator("rect.gap title").text_content() == "95 days without a video"
    times = [
        box["x"] for box in (one.bounding_box() for one in drawn.locator("rect.verdict").all())
    ]
    assert times[0] < times[1] < times[2] < times[3]
    assert times[2] - times[1] > 5 * (times[1] - times[0])  # the axis is one of time
    rows = [row.split("\t") for row in page.locator("#participant tbody tr").all_inner_texts()]
    assert [row[0] for row in rows] == [
        "a1",
        "a2",
        "a3",
        "Gap: 95 days without a video",
        "a4",
        "a5",
    ]
    assert rows[0][1:5] == ["2026-01-01", "why", "Yes", "0.900"]
    assert rows[2][3] == "not scored: decode"


def test_a_participant_by_keyboard(opened, visits):
    page = opened(visits).page
    keyboard = page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(80):
            keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"{selector} is not reached by Tab")

    tab_to("#participant-rows a")
    keyboard.press("Enter")
    expect(page.locator("#participant-title")).to_have_text("Participant anna")
    tab_to("#participant .bar button:nth-child(3)")
    keyboard.press("Enter")
    expect(page.locator("#participant-title")).to_have_text("Participant bert")
    tab_to("#participant tbody a")
    keyboard.press("Enter")
    expect(page.locator("#video-title")).to_have_text("b1")
    keyboard.press("Escape")
    expect(page.locator("#video")).to_be_hidden()
    expect(page.locator("#participant tbody a:focus")).to_have_text("b1")
    keyboard.press("Escape")
    expect(page.locator("#participant")).to_be_hidden()
    expect(page.locator("#participant-rows a:focus")).to_have_text("bert")


def test_previous_and_next_stay_with_the_participant(opened, visits):
    page = opened(visits).page
    page.goto(visits.as_uri() + "#participant=anna&video=a2")
    expect(page.locator("#video-title")).to_have_text("a2")
    page.click("#video >> text=Next video")
    expect(page.locator("#video-title")).to_have_text("a3")
    page.click("#video dd a")  # to the participant's page, below it
    expect(page.locator("#video")).to_be_hidden()
    expect(page.locator("#participant-title")).to_have_text("Participant anna")
    page.goto(visits.as_uri() + "#video=b1")
    expect(page.locator("#participant")).to_be_hidden()
    expect(page.locator("#video-title")).to_have_text("b1")
    page.click("#video dd a")
    expect(page.locator("#participant-title")).to_have_text("Participant bert")
    expect(page.locator("#video")).to_be_hidden()


def test_a_participant_on_paper(opened, visits):
    page = opened(visits).page
    page.goto(visits.as_uri() + "#participant=anna")
    expect(page.locator("#participant-title")).to_be_visible()
    page.emulate_media(media="print")
    assert "not a diagnosis" in page.inner_text("#participant .printed")
    assert not page.is_visible("#overview")
    assert not page.is_visible("#participant .bar")


def test_participants_as_csv(opened, visits, tmp_path):
    page = opened(visits).page
    with page.expect_download() as waiting:
        page.click("#participant-save")
    waiting.value.save_as(tmp_path / "p.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "p.csv").read_text("utf-8-sig"))))
    assert [row["participant"] for row in rows] == ["anna", "bert"]
    assert (rows[0]["n_visits"], rows[0]["n_videos"], rows[0]["n_not_scored"]) == ("4", "5", "1")
    assert float(rows[0]["mean_p_ah"]) == pytest.approx(0.525)


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_on_a_participants_page(opened, visits, width):
    page = opened(visits, viewport={"width": width, "height": 800}).page
    page.goto(visits.as_uri() + "#participant=anna")
    expect(page.locator("#participant-title")).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.getElementById('participant').scrollWidth") <= width
    buttons = page.locator("#participant .bar button").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().top)"
    )
    assert len(set(buttons)) == 1


def test_numbered_visits_that_are_missing(opened, tmp_path):
    from invented_rows import make_output

    from ah_ray.study.report.make import make_report
    from ah_ray.study.report.settings import ReportSettings

    out, table = str(tmp_path / "scores"), tmp_path / "people.csv"
    make_output(out, {"a": [0.9], "b": [0.2], "c": [0.4]})
    table.write_text("video_id,participant,visit\na,p,1\nb,p,2\nc,p,5\n")
    file = Path(
        make_report(ReportSettings(out=out, participants=str(table), plain_participants=True)).file
    )
    page = opened(file).page
    page.goto(file.as_uri() + "#participant=p")
    expect(page.locator("#participant-title")).to_be_visible()
    assert "Gap: no visit 3, 4" in page.inner_text("#participant")
