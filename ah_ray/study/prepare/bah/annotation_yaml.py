"""Annotators' YAML, read safely and with line numbers: plain values, and tuples, nothing else.

The published files were written with Python's own tags, and nobody may have a file make objects
here. So events of the parser become a small tree of texts; of Python's tags only `tuple` is
known, as a list. Values stay as they are written: who reads them knows what they should be, and
YAML's own guesses (1:05 is the number 65) are in nobody's way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the annotations of BAH are some 90 MB
_STANDARD = "tag:yaml.org,2002:"
_PLAIN_TAGS = {
    None,
    "!",
    *(_STANDARD + name for name in ("str", "int", "float", "bool", "null", "timestamp")),
    *(_STANDARD + name for name in ("seq", "map", "python/tuple")),
}
_NULLS = {"", "~", "null", "Null", "NULL"}
_DEEPEST = 30
_PLAIN_VALUES = "write plain values (in Python: yaml.safe_dump)"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line on which it begins."""

    line: int
    content: str | list[Node] | dict[str, Node] | None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong on a line."""

    line: int
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Item:
    """One key of the file's outermost mapping, its value, and what is wrong within."""

    line: int
    key: str
    value: Node
    problems: tuple[Problem, ...]


class NotYaml(Exception):
    """The file cannot be read from this line on; nothing of it can be trusted."""

    def __init__(self, problem: Problem):
        super().__init__(problem.what)
        self.problem = problem


def read_items(data: bytes, *, skip: Collection[str] = ()) -> Iterator[Item]:
    """Yield the outermost mapping of a file, one key at a time. Raise NotYaml.

    Values of the keys in `skip`, at any depth, are not kept.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise NotYaml(Problem(line, "it is not text in UTF-8", "save it as UTF-8")) from None
    try:
        yield from _Reader(text, skip).items()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"bad YAML: {error.problem or error.context}"
        raise NotYaml(Problem(mark.line + 1 if mark else 0, what, "correct the syntax")) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        what = "bad YAML: a character that may not be there"
        raise NotYaml(Problem(line, what, "remove it")) from None


class _Reader:
    """From events to nodes."""

    def __init__(self, text: str, skip: Collection[str]):
        self._events = yaml.parse(text, Loader=_LOADER)
        self._skip = skip
        self._anchors: dict[str, Node] = {}
        self._problems: list[Problem] = []

    def items(self) -> Iterator[Item]:
        for event in self._events:
            if isinstance(event, yaml.MappingStartEvent):
                break
            if isinstance(event, yaml.StreamEndEvent):
                return  # an empty file
            if not isinstance(event, (yaml.StreamStartEvent, yaml.DocumentStartEvent)):
                what = "it is not a mapping of names to values"
                raise NotYaml(Problem(_line(event), what, "write `name: value`"))
        self._check_tag(event)
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line = _line(event)
            key = self._key(event)
            value = self._value(key, next(self._events), 1)
            problems, self._problems = tuple(self._problems), []
            yield Item(line, key, value, problems)
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                raise NotYaml(Problem(_line(event), "a second document begins", "keep one a file"))

    def _key(self, event: yaml.Event) -> str:
        node = self._build(event, 1)
        if isinstance(node.content, str):
            return node.content
        if node.content is not None:
            self._tell(event, "a name is a list or a mapping", _PLAIN_VALUES)
        return ""

    def _value(self, key: str, event: yaml.Event, depth: int) -> Node:
        if key in self._skip:
            return self._pass_over(event, depth)
        return self._build(event, depth)

    def _build(self, event: yaml.Event, depth: int) -> Node:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self._anchors:
                return self._anchors[event.anchor]
            self._tell(event, f"*{event.anchor} refers to nothing before it", _PLAIN_VALUES)
            return Node(line, None)
        self._check_tag(event)
        if isinstance(event, yaml.ScalarEvent):
            is_null = event.implicit[0] and event.value in _NULLS  # as written, without quotes
            node = Node(line, None if is_null else event.value)
        elif depth >= _DEEPEST:
            raise _too_deep(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Node(line, list(self._list(depth + 1)))
        else:
            node = Node(line, self._mapping(depth + 1))
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = node
        return node

    def _list(self, depth: int) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._build(event, depth)

    def _mapping(self, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event)
            if key in found:
                self._tell(event, f"{key} stands there twice", f"keep the right {key}")
            found[key] = self._value(key, next(self._events), depth)
        return found

    def _pass_over(self, event: yaml.Event, depth: int) -> Node:
        """Skip a value, and keep only what has an anchor, since an alias may refer to it."""
        line, n_open = _line(event), 0
        while True:
            named = getattr(event, "anchor", None) and not isinstance(event, yaml.AliasEvent)
            if named:
                self._build(event, depth + n_open)
            elif n_open > _DEEPEST:
                raise _too_deep(event)
            else:
                n_open += isinstance(event, yaml.CollectionStartEvent)
                n_open -= isinstance(event, yaml.CollectionEndEvent)
                self._check_tag(event)
            if n_open <= 0:
                return Node(line, None)
            event = next(self._events)

    def _check_tag(self, event: yaml.Event) -> None:
        tag: str | None = getattr(event, "tag", None)
        if tag is not None and tag not in _PLAIN_TAGS:
            shown = "!!" + tag.removeprefix(_STANDARD) if tag.startswith(_STANDARD) else tag
            self._tell(event, f"the tag {shown} would make an object", _PLAIN_VALUES)

    def _tell(self, event: yaml.Event, what: str, remedy: str) -> None:
        self._problems.append(Problem(_line(event), what, remedy))


def _too_deep(event: yaml.Event) -> NotYaml:
    return NotYaml(Problem(_line(event), "it is nested too deeply", _PLAIN_VALUES))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0
