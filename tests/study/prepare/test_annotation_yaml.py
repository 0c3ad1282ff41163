"""YAML of annotators: plain values and tuples, with lines; nothing that makes an object."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.prepare.bah import annotation_yaml
from ah_ray.study.prepare.bah.annotation_yaml import Node, NotYaml, read_items


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def any_parser(request, monkeypatch):
    """libyaml's, and the one in Python where libyaml is not there."""
    monkeypatch.setattr(annotation_yaml, "_LOADER", getattr(yaml, request.param))


def plain(node: Node) -> object:
    if isinstance(node.content, dict):
        return {key: plain(value) for key, value in node.content.items()}
    if isinstance(node.content, list):
        return [plain(value) for value in node.content]
    return node.content


def read(text: str, **settings) -> dict[str, object]:
    items = list(read_items(text.encode(), **settings))
    assert not [item for item in items if item.problems]
    return {item.key: plain(item.value) for item in items}


@pytest.mark.usefixtures("any_parser")
def test_values_stay_as_they_are_written():
    text = "a: 1\nb: '1'\nc: 1:05\nd: null\ne: 'null'\nf:\ng: ''\nh: {x: [yes, 2030-01-02]}\n"
    assert read(text) == {
        "a": "1", "b": "1", "c": "1:05", "d": None, "e": "null", "f": None, "g": "",
        "h": {"x": ["yes", "2030-01-02"]},
    }  # fmt: skip


@pytest.mark.usefixtures("any_parser")
def test_tuples_are_lists():
    text = yaml.dump({"v.mp4": {"time": [("0:01", 2.5)], "again": ((1, 2), (3, 4))}})
    assert "!!python/tuple" in text
    assert read(text) == {"v.mp4": {"time": [["0:01", "2.5"]], "again": [["1", "2"], ["3", "4"]]}}


@pytest.mark.usefixtures("any_parser")
@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch made']",
        "!!python/object:ah_ray.records.Video {}",
        "!!python/object/new:os.system ['touch made']",
        "!!python/name:os.system ''",
        "!!python/module:os ''",
        "!!python/object/apply:subprocess.check_output [['touch', 'made']]",
        "[1, {x: !!python/name:os.system ''}]",
        "!local x",
        "!!binary aGVsbG8=",
    ],
)
def test_what_would_make_an_object_is_reported_and_not_made(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, item, last = read_items(f"a: 1\nb:\n  c: {value}\nd: 2\n".encode())
    (problem,) = item.problems
    assert problem.line == 3 and "would make an object" in problem.what
    assert "safe_dump" in problem.remedy
    assert not first.problems and not last.problems and plain(last.value) == "2"
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("any_parser")
def test_lines_are_reported():
    text = "a:\n  x: 1\n  y:\n  - [1, 2]\n  - - 3\n    - 4\nb: 0\n"
    a, b = read_items(text.encode())
    assert (a.line, b.line) == (1, 7)
    assert a.value.content["x"].line == 2
    assert [node.line for node in a.value.content["y"].content] == [4, 5]
    assert a.value.content["y"].content[1].content[1].line == 6


@pytest.mark.usefixtures("any_parser")
def test_what_is_passed_over_may_still_be_referred_to():
    text = "a:\n  big: [[1, &one {p: !!python/tuple [5, 6]}], &two 7]\n  x: *one\n  y: *two\n"
    assert read(text, skip={"big"}) == {"a": {"big": None, "x": {"p": ["5", "6"]}, "y": "7"}}
    assert read("a: {big: [[1], 2], x: 3}\nbig: {y: 4}\nb: 5", skip={"big"}) == {
        "a": {"big": None, "x": "3"}, "big": None, "b": "5",
    }  # fmt: skip


@pytest.mark.usefixtures("any_parser")
@pytest.mark.parametrize(
    ("data", "line", "what"),
    [
        (b"a: 1\nb: [1,\n", 3, "bad YAML"),
        (b"a: 1\n b: 2\n", 2, "bad YAML: mapping values are not allowed"),
        (b"a: 1\nb: \xff\n", 2, "not text in UTF-8"),
        (b"a: 1\nb: \x07\n", 2, "a character that may not be there"),
        (b"- a\n- b\n", 1, "not a mapping of names to values"),
        (b"a: 1\n---\nb: 2\n", 2, "a second document"),
    ],
)
def test_files_that_are_none(data, line, what):
    with pytest.raises(NotYaml) as caught:
        list(read_items(data))
    assert what in caught.value.problem.what
    assert caught.value.problem.line == line


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: {x: 1, x: 2}", "x stands there twice"),
        ("a: *none", "*none refers to nothing before it"),
        ("a: &own [*own]", "*own refers to nothing before it"),
        ("a: {[1]: 2}", "a name is a list or a mapping"),
    ],
)
def test_entries_that_are_wrong_within(text, what):
    *_, item = read_items(text.encode())
    assert what in item.problems[0].what


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 20_000,
        "a: " + "{a: " * 20_000,
        "a: " + "".join(f"&a{n} [" for n in range(900)) + "]" * 900,
        "a: " + "".join(f"&a{n} [" for n in range(20_000)),
    ],
)
@pytest.mark.usefixtures("any_parser")
def test_nested_without_end(text):
    for skip in ((), ("a",)):
        started = time.monotonic()
        with pytest.raises(NotYaml, match="nested too deeply"):
            list(read_items(text.encode(), skip=skip))
        assert time.monotonic() - started < 5


def test_references_to_references_take_no_room():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert len(list(read_items("\n".join(lines).encode()))) == 60


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
VALUES = st.recursive(
    TEXTS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_texts_come_back(content):
    text = yaml.safe_dump(content, default_style='"', allow_unicode=True)
    found = {item.key: plain(item.value) for item in read_items(text.encode())}
    assert found == {key: _as_read(value) for key, value in content.items()}


def _as_read(value: object) -> object:
    """A null that is written with quotes has a tag, and is the text all the same."""
    if isinstance(value, dict):
        return {key: _as_read(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_read(inner) for inner in value]
    return "null" if value is None else value
