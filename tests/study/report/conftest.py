"""What the tests of the page share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from study.report.browsing import PATIENCE_MS, Opened
from study.report.invented_report import LARGE, make_hostile, make_labelled, make_large, make_visits

from ah_ray.study.report.make import make_report
from ah_ray.study.report.settings import ReportSettings


@pytest.fixture(scope="session")
def large(tmp_path_factory) -> Path:
    """The page of LARGE videos."""
    out = make_large(tmp_path_factory.mktemp("large") / "scores", LARGE)
    return Path(make_report(ReportSettings(out=out)).file)


@pytest.fixture
def opened(browser) -> Iterator[Callable[..., Opened]]:
    """Opens a file. After the test, no page may have complained, or asked for anything else."""
    every: list[Opened] = []

    def open_file(file: Path, **context: object) -> Opened:
        settings = {"viewport": {"width": 1280, "height": 900}} | context
        page = browser.new_context(**settings).new_page()
        page.set_default_timeout(PATIENCE_MS)
        one = Opened(page)
        page.on("console", lambda said: one.complaints.append(said.text))
        page.on("pageerror", lambda error: one.complaints.append(str(error)))
        page.on("request", lambda request: one.requests.append(request.url))
        page.goto(file.as_uri())
        every.append(one)
        return one

    yield open_file
    for one in every:
        page_uri = one.page.url.split("#")[0]
        assert one.complaints == []
        asked = {url for url in one.requests if not url.startswith(("data:", "blob:"))}
        assert asked == {page_uri} | one.recordings
        one.page.context.close()


@pytest.fixture(scope="module")
def labelled_page(tmp_path_factory) -> Path:
    out, study = make_labelled(tmp_path_factory.mktemp("labelled"))
    return Path(make_report(ReportSettings(out=out, labels=study.labels, draws=100)).file)


@pytest.fixture(scope="module")
def visits(tmp_path_factory) -> Path:
    return make_visits(tmp_path_factory.mktemp("visits"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    return make_hostile(tmp_path_factory.mktemp("hostile"))
