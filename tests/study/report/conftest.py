"""What the tests of the page share."""

from __future__ import annotations

from pathlib import Path

import pytest
from study.report.invented_report import LARGE, make_large

from ah_ray.study.report.make import make_report
from ah_ray.study.report.settings import ReportSettings


@pytest.fixture(scope="session")
def large(tmp_path_factory) -> Path:
    """The page of LARGE videos."""
    out = make_large(tmp_path_factory.mktemp("large") / "scores", LARGE)
    return Path(make_report(ReportSettings(out=out)).file)
