"""Settings of jobs/report.py, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from ah_ray.errors import ConfigError
from ah_ray.study.report.settings import report_settings


def test_defaults():
    settings = report_settings(out="/scores")
    assert (settings.file, settings.split) == ("/scores/report.html", "test")
    assert report_settings(out="/scores", to="/page.html").file == "/page.html"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"to": ""}, "--to: is empty"),
        ({"title": " "}, "--title: is empty"),
        ({"labels": ""}, "--labels: is empty"),
        ({"labels": "labels", "split": "nonsense"}, "--split: there is none named 'nonsense'"),
        ({"split": "nonsense"}, "--split: there is none named 'nonsense'"),
        ({"split": "val"}, "--split is of --labels: give them, or leave it out"),
    ],
)
def test_what_is_wrong_is_one_sentence(values, told):
    with pytest.raises(ConfigError) as caught:
        report_settings(out="scores", **values)
    assert str(caught.value).startswith(told)
