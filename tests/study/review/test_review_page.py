"""The page that a reviewer answers on: its text anywhere, its behaviour in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import videos
from axe_playwright_python.sync_playwright import Axe
from chromium import needs_chromium
from invented_review import read_sheet
from playwright.sync_api import Page

from ah_ray.study.label_errors import Faults
from ah_ray.study.review.page import review_page
from ah_ray.study.review.sheet import COLUMNS, read_answers

HOSTILE = "</script><img src=x onerror=alert(1)>&amp;<!--"


def row(number: int, **fields: str) -> dict[str, str]:
    own = {
        "clip": f"clips/v{number}-0000.000s.mp4",
        "video_id": f"v{number}",
        "start_s": "0",
        "end_s": "2",
        "content": "0123abcd",
    }
    return dict.fromkeys(COLUMNS, "") | own | fields


def test_nothing_in_a_row_becomes_markup():
    html = review_page([row(0, video_id=HOSTILE), row(1)])
    assert HOSTILE not in html and "<img" not in html
    sheet = re.search(r'id="sheet">(.*?)</script>', html)[1]
    assert json.loads(sheet)["rows"][0]["video_id"] == HOSTILE


def test_the_page_names_no_other_place():
    html = review_page([row(0)])
    assert not re.search(r"(?:https?:)?//[a-z]", html) and "@import" not in html


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three clips; the id of the last wants to be markup."""
    folder = tmp_path_factory.mktemp("review")
    (folder / "clips").mkdir()
    rows = [row(0), row(1), row(2, video_id=HOSTILE)]
    clip = videos.make_numbered(folder / "clip.mp4", n_frames=50, sound=videos.TONE)
    for each in rows:
        shutil.copy(clip, folder / each["clip"])
    (folder / "index.html").write_text(review_page(rows))
    return folder


@pytest.fixture
def page(browser, folder) -> Iterator[Page]:
    """The page from disk. Afterwards it has complained of nothing, and asked for clips alone."""
    complaints, requests = [], []
    context = browser.new_context(accept_downloads=True)
    opened = context.new_page()
    opened.on("console", lambda said: complaints.append(said.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto((folder / "index.html").as_uri())
    yield opened
    context.close()
    assert not complaints
    assert all(url.startswith((folder.as_uri() + "/", "blob:")) for url in requests), requests


def status(page: Page) -> str:
    return page.locator("#done").inner_text()


def save(page: Page, to: Path, name: str = "sheet-A-B.csv") -> Path:
    with page.expect_download() as started:
        page.locator("#export").click()
    assert started.value.suggested_filename == name
    started.value.save_as(to)
    return to


@needs_chromium
def test_by_keyboard_alone_to_a_sheet_that_is_read_back(page, tmp_path):
    page.keyboard.press("y")
    page.keyboard.press("n")
    assert status(page) == "2 of 3 answered" and "Clip 3 of 3" in page.inner_text("#where")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("u")
    assert status(page) == "1 of 3 answered"
    page.keyboard.press("Y")
    page.locator("#note").fill('any, "quoted" note')
    page.keyboard.press("y")
    assert page.input_value("#note").endswith("notey"), "a key in a note is a letter"
    page.locator("#reviewer").fill("A/B")
    sheet = save(page, tmp_path / "sheet.csv")
    assert [(each["video_id"], each["answer"], each["note"]) for each in read_sheet(sheet)] == [
        ("v0", "Yes", ""), ("v1", "Yes", ""), (HOSTILE, "", 'any, "quoted" notey'),
    ]  # fmt: skip
    faults = Faults()
    answers = read_answers([str(sheet)], faults).answers
    assert [(one.video_id, one.yes, one.reviewer) for one in answers] == [
        ("v0", True, "A/B"), ("v1", True, "A/B"),
    ]  # fmt: skip
    assert not faults.found


@needs_chromium
def test_what_looks_like_a_formula_is_none_in_the_sheet(page, tmp_path):
    page.locator("#note").fill("=1+1")
    page.locator("[data-answer=Yes]").click()
    page.locator("#reviewer").fill("-Ж")
    sheet = save(page, tmp_path / "sheet.csv", "sheet--Ж.csv")
    first = read_sheet(sheet)[0]
    assert (first["note"], first["reviewer"]) == ("'=1+1", "'-Ж")
    assert [one.reviewer for one in read_answers([str(sheet)], Faults()).answers] == ["-Ж"]


@needs_chromium
@pytest.mark.parametrize(("who", "name"), [("Ж 1", "Ж-1"), ("张", "张"), ("é/ß", "é-ß")])
def test_sheets_of_all_reviewers_have_names_of_their_own(page, tmp_path, who, name):
    page.locator("#reviewer").fill(who)
    save(page, tmp_path / "sheet.csv", f"sheet-{name}.csv")


@needs_chromium
def test_after_the_last_answer_it_asks_to_save(page):
    page.keyboard.press("ArrowRight")
    page.keyboard.press("y")
    assert "save" not in page.inner_text("#said").lower()
    page.keyboard.press("y")
    assert "last clip; 1 without an answer. Save the sheet when" in page.inner_text("#said")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("n")
    assert page.inner_text("#said") == "Clip 1: No. Every clip has an answer: save the sheet now."


@needs_chromium
def test_two_clips_of_one_video_are_distinguished(page):
    assert "0 – 2 s" in page.locator("#clips li").first.inner_text()


def wait_until_loaded(page: Page) -> None:
    """Playwright's own way to wait evaluates text in the page, which the page forbids."""
    until = time.monotonic() + 20
    while page.evaluate("document.getElementById('player').readyState") < 2:
        assert time.monotonic() < until, "the clip does not load"
        page.wait_for_timeout(50)


@needs_chromium
def test_each_clip_is_played(page):
    for number in range(3):
        wait_until_loaded(page)
        assert page.evaluate("document.getElementById('player').duration") == pytest.approx(
            2, abs=0.1
        )
        assert f"v{number}-" in page.evaluate("document.getElementById('player').src")
        page.keyboard.press("ArrowRight")


@needs_chromium
@pytest.mark.parametrize("focus", ["a click", "the keyboard"])
def test_space_plays_and_pauses_and_never_answers(page, focus):
    """Whichever button was pressed before: a clip that nobody watched has no answer."""
    yes = page.locator("[data-answer=Yes]")
    yes.click()
    if focus == "the keyboard":
        yes.focus()
    wait_until_loaded(page)
    paused = "document.getElementById('player').paused"
    before = page.evaluate(paused)
    page.keyboard.press("Space")
    assert page.evaluate(paused) != before
    page.keyboard.press("Space")
    assert page.evaluate(paused) == before
    assert status(page) == "1 of 3 answered"


@needs_chromium
def test_after_a_click_enter_does_not_press_again(page):
    page.locator("[data-answer=Yes]").click()
    page.keyboard.press("Enter")
    assert status(page) == "1 of 3 answered"


@needs_chromium
@pytest.mark.parametrize("key", ["y", "Enter"])
def test_a_key_that_is_held_answers_once(page, key):
    page.locator("[data-answer=Yes]").focus()
    for _ in range(3):  # a key that is down already comes with `repeat`
        page.keyboard.down(key)
    page.keyboard.up(key)
    assert status(page) == "1 of 3 answered"


@needs_chromium
def test_answers_outlast_a_closed_page(page):
    page.keyboard.press("n")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    until = time.monotonic() + 20  # a busy browser brings what was kept to the new page late
    while status(page) != "1 of 3 answered":
        assert time.monotonic() < until, "the answer is lost"
        page.wait_for_timeout(200)
        page.reload()


@needs_chromium
def test_no_sheet_without_a_name(page):
    page.locator("#export").click()
    assert "initials" in page.inner_text("#said")
    assert page.evaluate("document.activeElement.id") == "reviewer"


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.keyboard.press("y")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@needs_chromium
def test_cannot_tell_no_answer_and_not_seen_are_three_things(page, tmp_path):
    wait_until_played(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    assert status(page) == "1 of 3 answered"
    page.locator("#reviewer").fill("AB")
    page.evaluate("rows[2].seen = ''")  # however fast the last clip began to play
    sheet = save(page, tmp_path / "sheet.csv", "sheet-AB.csv")
    assert [(each["seen"], each["answer"]) for each in read_sheet(sheet)] == [
        ("yes", ""), ("yes", "Cannot tell"), ("", ""),
    ]  # fmt: skip
    path = tmp_path / "sheet.csv"
    path.write_text(path.read_text(encoding="utf-8-sig").replace(HOSTILE, "v2"))
    found = read_answers([str(path)], Faults())
    assert (found.n_cannot_tell, found.n_seen, found.n_not_seen) == (1, 1, 1)


def wait_until_played(page: Page) -> None:
    until = time.monotonic() + 20
    while not page.evaluate("rows[0].seen"):
        assert time.monotonic() < until, "the clip does not play"
        page.evaluate("player.muted = true, player.play()")
        page.wait_for_timeout(50)


@needs_chromium
def test_certainty_and_cues_by_keyboard(page, tmp_path):
    page.keyboard.press("2")
    page.locator("#cues input[value=contradiction]").focus()
    page.keyboard.press("Space")
    page.locator("#cues input[value=face]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("y")
    assert not page.locator("#cues input:checked").count(), "the next clip has its own"
    page.keyboard.press("ArrowLeft")
    assert page.locator("#cues input:checked").count() == 0, "an arrow on a choice is the choice's"
    page.locator("#where").click()
    page.locator("#reviewer").fill("AB")
    sheet = save(page, tmp_path / "sheet.csv", "sheet-AB.csv")
    first = read_answers([str(sheet)], Faults()).answers[0]
    assert (first.yes, first.certainty, first.cues) == (
        True, "fairly sure", ("face", "contradiction"),
    )  # fmt: skip
