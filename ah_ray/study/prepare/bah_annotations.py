"""BAH's annotations: is a video A/H, and where. One YAML for all videos, or one for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ah_ray.study.faults import Faults, Place
from ah_ray.study.labelled import Marked
from ah_ray.study.parallel import in_threads
from ah_ray.study.prepare.annotation_yaml import Item, Node, NotYaml, read_items
from ah_ray.study.prepare.bah_tree import Namesakes, Tree
from ah_ray.study.source_files import read_source
from ah_ray.study.written import label_of, seconds_of

_NOT_READ = ("frame_annotation", "fr_detailed_ah", "all_cues")
_LABEL, _INTERVALS, _TRANSCRIPT = "global_ah", "time_detailed_ah", "transcript"
_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What annotators say of one video."""

    label: int
    segments: tuple[Marked, ...]  # in order, none within another; empty if not A/H
    language: str | None
    place: Place


@dataclass(slots=True)
class Annotations:
    """By path of the video. `is_whole` is false if a file broke off: more may have been there."""

    found: dict[str, Annotation]
    is_whole: bool = True


def read_annotations(tree: Tree, files: dict[str, str], faults: Faults) -> Annotations:
    """All annotations that are as they should be; the others are faults of their videos."""
    annotations = Annotations({})
    first: dict[str, Place] = {}
    namesakes = Namesakes(tree)
    contents = in_threads(_THREADS, read_source, files.values())
    for (path, uri), data in zip(files.items(), contents, strict=True):
        own = None if path == "" else namesakes.video_of(path)
        try:
            for video, item in _entries(tree, own, data):
                place = Place(file=uri, line=item.line)
                if (before := first.setdefault(video, place)) != place:
                    problem = f"{video} is annotated a second time (first: {before})"
                    faults.add(place, problem, "keep the right one", video=video)
                elif (one := _annotation(video, uri, item, faults)) is not None:
                    annotations.found[video] = one
        except NotYaml as error:
            problem = error.problem
            place = Place(file=uri, line=problem.line)
            faults.add(place, problem.what, problem.mend, video=own)
            annotations.is_whole = annotations.is_whole and own is not None
    return annotations


def _entries(tree: Tree, own: str | None, data: bytes) -> Iterator[tuple[str, Item]]:
    """(video, its fields): all of a file that is of one video, else each entry of it."""
    items = read_items(data, skip=_NOT_READ)
    if own is not None:
        items = list(items)
        if any(item.key in (_LABEL, _INTERVALS) for item in items):
            line = items[0].line
            content = {item.key: item.value for item in items}
            problems = tuple(problem for item in items for problem in item.problems)
            yield own, Item(line, own, Node(line, content), problems)
            return
    for item in items:
        yield tree.path_of(item.key), item


def _annotation(video: str, uri: str, item: Item, faults: Faults) -> Annotation | None:
    """None if something is wrong with it."""

    def tell(line: int, problem: str, mend: str) -> None:
        faults.add(Place(file=uri, line=line), problem, mend, video=video)

    for problem in item.problems:
        tell(problem.line, problem.what, problem.mend)
    fields = item.value.content
    if not isinstance(fields, dict):
        tell(item.line, "it is no annotation", f"write `{_LABEL}: 0` or 1, `{_INTERVALS}: …`")
        return None
    label = _label(fields, item.line, tell)
    marks = fields.get(_INTERVALS)
    intervals = [] if marks is None or marks.content is None else list(_intervals(marks, tell))
    if label == 0 and marks is not None and marks.content:
        tell(
            marks.line,
            f"{_LABEL} is 0, but {_INTERVALS} marks intervals",
            f"take them out, or set {_LABEL} to 1",
        )
    if label is None or video in faults.videos:
        return None
    return Annotation(
        label=label,
        segments=tuple(_joined(uri, intervals)),
        language=_language(fields.get(_TRANSCRIPT)),
        place=Place(file=uri, line=item.line),
    )


def _label(fields: dict[str, Node], line: int, tell) -> int | None:
    node = fields.get(_LABEL)
    if node is None or node.content is None:
        tell(line if node is None else node.line, f"{_LABEL} is missing", "write 0 or 1")
        return None
    label = label_of(node.content) if isinstance(node.content, str) else None
    if label is None:
        tell(node.line, f"{_LABEL} is {_shown(node)}: an unknown label", "write 0 or 1")
    return label


def _intervals(marks: Node, tell) -> Iterator[tuple[float, float, int]]:
    """(start_s, end_s, line) of each that is one: pairs, or one pair alone."""
    pairs = marks.content
    if not isinstance(pairs, list):
        tell(marks.line, f"{_INTERVALS} is {_shown(marks)}", "write a list of [start, end]")
        return
    if len(pairs) == 2 and all(isinstance(one.content, str) for one in pairs):
        pairs = [marks]
    for pair in pairs:
        ends = pair.content
        if not isinstance(ends, list) or len(ends) != 2:
            tell(pair.line, f"the interval is {_shown(pair)}", "write [start, end]")
            continue
        start_s, end_s = (
            seconds_of(end.content) if isinstance(end.content, str) else None for end in ends
        )
        if start_s is None or end_s is None:
            wrong = ends[0] if start_s is None else ends[1]
            tell(wrong.line, f"{_shown(wrong)} is no time", "write seconds or minutes:seconds")
        elif end_s <= start_s:
            way = "reversed" if end_s < start_s else "empty"
            span = f"{ends[0].content} – {ends[1].content}"
            tell(pair.line, f"the interval {span} is {way}", "write [start, end], the end later")
        else:
            yield start_s, end_s, pair.line


def _joined(uri: str, intervals: list[tuple[float, float, int]]) -> Iterator[Marked]:
    """In order; those that overlap become one, so that no moment is learned twice."""
    start_s = end_s = None
    line = 0
    for next_start_s, next_end_s, next_line in sorted(intervals):
        if end_s is not None and next_start_s < end_s:
            end_s = max(end_s, next_end_s)
            continue
        if end_s is not None:
            yield Marked(start_s=start_s, end_s=end_s, label=1, place=Place(file=uri, line=line))
        start_s, end_s, line = next_start_s, next_end_s, next_line
    if end_s is not None:
        yield Marked(start_s=start_s, end_s=end_s, label=1, place=Place(file=uri, line=line))


def _language(transcript: Node | None) -> str | None:
    """The one that most of the transcript is in."""
    content = transcript.content if transcript else None
    pieces = content.get("chunks") if isinstance(content, dict) else transcript
    spoken: Counter[str] = Counter()
    for piece in pieces.content if pieces and isinstance(pieces.content, list) else ():
        fields = piece.content if isinstance(piece.content, dict) else {}
        language, text = (
            node.content if (node := fields.get(name)) and isinstance(node.content, str) else ""
            for name in ("language", "text")
        )
        if language.strip():
            spoken[language.strip().lower()] += len(text) + 1
    return spoken.most_common(1)[0][0] if spoken else None


def _shown(node: Node) -> str:
    if isinstance(node.content, str):
        return repr(node.content)
    if isinstance(node.content, list):
        return f"a list of {len(node.content)}"
    return "empty" if node.content is None else "a mapping"
