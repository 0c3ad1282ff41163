"""The page as text: all that a name holds stays text, and nothing is loaded from elsewhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_rows import make_output, name_of, row, scoring
from study.report.invented_report import HOSTILE, make_hostile

from ah_ray.config import Ensemble, OneModel, Reduction
from ah_ray.output.config import claim_output
from ah_ray.output.row_files import commit_row
from ah_ray.output.tables import write_tables
from ah_ray.profile import load_profile
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.report.make import make_report
from ah_ray.study.report.page import embed_json
from ah_ray.study.report.settings import ReportSettings
from ah_ray.verdicts.verdict import with_verdict


class Elements(HTMLParser):
    """What a browser would make of it: elements, their attributes, their text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        self.text += data
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data

    @property
    def data(self) -> dict:
        return json.loads(self.scripts[0])


@given(st.recursive(st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_embed_json_is_the_same_value_and_plain(value):
    text = embed_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set(text) & set("<>&")


def test_numbers_that_json_does_not_know_are_not_written():
    with pytest.raises(ValueError, match="JSON"):
        embed_json([float("nan")])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Elements:
    folder = tmp_path_factory.mktemp("hostile")
    return Elements(make_hostile(folder).read_text(encoding="utf-8"))


def test_hostile_names_are_text(hostile):
    """As many elements of each kind as of a page whose names are harmless, and the names whole."""
    assert [tag for tag, _ in hostile.tags].count("script") == 2
    assert "img" not in [tag for tag, _ in hostile.tags]
    assert not [name for _, attributes in hostile.tags for name in attributes if name[:2] == "on"]
    assert HOSTILE in hostile.text  # the title, the model, a group of people
    assert any(HOSTILE in (error or "") for error in hostile.data["videos"]["error"])


def test_the_policy_allows_this_style_and_this_script_alone(hostile):
    policy = next(a["content"] for _, a in hostile.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", policy)) == 2


def test_nothing_is_loaded_from_elsewhere(hostile):
    for tag, attributes in hostile.tags:
        assert not attributes.keys() & {"src", "srcset", "action", "style"}, (tag, attributes)
        if "href" in attributes:
            assert attributes["href"].startswith(("#", "data:,")), attributes


def test_by_default_no_name_no_path_no_picture(tmp_path):
    out = tmp_path / "anna"
    make_output(str(out), {"a": [0.9, 0.2]}, uri="/cohort/anna/anna 2024-01-05.mp4")
    text = _text(ReportSettings(out=str(out)))
    assert "anna" not in text
    assert "/cohort" not in text
    assert "base64," not in text.split("</style>")[1].split("<script>")[0]
    assert "No name and no path of a recording is on this page" in text


def test_a_model_is_called_by_its_name_not_by_its_path(tmp_path):
    out = str(tmp_path / "out")
    by = scoring("/home/anna/models/omni-7", model_fingerprint="0123")
    make_output(out, {"a": [0.9]}, by=by)
    text = _text(ReportSettings(out=out))
    assert "omni-7" in text
    assert "anna" not in text


def test_the_page_says_what_the_score_is_and_is_not(tmp_path):
    out = str(tmp_path / "out")
    make_output(out, {"a": [0.9]})
    text = " ".join(Elements(_text(ReportSettings(out=out))).text.split())
    assert "an aid for screening and research, not a diagnosis" in text
    assert "A video's score is the highest of its clips" in text
    assert "No labels were given for this page" in text


_DISCLAIMER = "These verdicts say nothing about people"


@pytest.mark.parametrize(
    ("model", "is_shown"),
    [("tiny", True), ("tiny+my-adapter", True), ("model-a", False), ("tiny-clinic", False)],
)
def test_a_page_of_the_demonstration_says_that_it_means_nothing(tmp_path, model, is_shown):
    out = str(tmp_path / "out")
    make_output(out, {"a": [0.9]}, by=scoring(model))
    assert (_DISCLAIMER in _text(ReportSettings(out=out))) == is_shown


@pytest.mark.parametrize(
    ("names", "is_shown"), [(("model-a", "tiny+b"), True), (("model-a", "model-b"), False)]
)
def test_so_does_a_page_of_several_models_with_it_among_them(tmp_path, names, is_shown):
    models = tuple(OneModel(name=name, fingerprint=name) for name in names)
    by = scoring(" + ".join(names), models=models)
    made = row("a", [0.9], by=by)
    made["clips"][0]["model_p_ah"] = [0.9, 0.1]
    out = str(tmp_path / "in-one-run")
    claim_output(out, by, Reduction(ensemble=Ensemble.VOTE))
    commit_row(out, with_verdict(made, Reduction(ensemble=Ensemble.VOTE)), stale=())
    write_tables(out, [name_of(made)])
    assert (_DISCLAIMER in _text(ReportSettings(out=out))) == is_shown
    outs = [str(tmp_path / name) for name in names]
    for each, name in zip(outs, names, strict=True):
        make_output(each, {"a": [0.9]}, by=scoring(name))
    voted = str(tmp_path / "voted")
    reduce_outputs(outs, voted, reduction=Reduction())
    assert (_DISCLAIMER in _text(ReportSettings(out=voted))) == is_shown


def _text(settings: ReportSettings) -> str:
    return Path(make_report(settings).file).read_text(encoding="utf-8")


def test_another_construct_is_called_by_its_name(tmp_path):
    profile = load_profile("tiny").model_copy(update={"construct_name": "engagement"})
    make_output(str(tmp_path), {"a": [0.9, 0.1]}, by=scoring(profile=profile))
    text = Path(make_report(ReportSettings(out=str(tmp_path))).file).read_text(encoding="utf-8")
    assert "<title>Engagement in recordings</title>" in text
    words = " ".join(text.split())
    assert "engagement may show" in words and "asked about engagement." in words
    assert "A/H" not in text and "mbivalence" not in text
