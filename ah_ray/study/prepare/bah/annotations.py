"""BAH's annotations: is a video A/H, and where. One YAML for all videos, or one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ah_ray.study.agreement import majority
from ah_ray.study.evaluation.figures.timeline import union
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.label_values import label_of, seconds_of
from ah_ray.study.labelled_video import Annotated, Marked, Utterance
from ah_ray.study.parallel import in_threads
from ah_ray.study.prepare.bah.annotation_yaml import Item, Node, NotYaml, read_items
from ah_ray.study.prepare.bah.annotators import language_of, read_annotated, read_transcript
from ah_ray.study.prepare.bah.tree import Namesakes, Tree
from ah_ray.study.source_files import read_source

_NOT_READ = ("frame_annotation", "fr_detailed_ah")
_LABEL, _INTERVALS, _TRANSCRIPT = "global_ah", "time_detailed_ah", "transcript"
_THREADS = 8
Tell = Callable[[int, str, str], None]  # line, problem, remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What annotators say about one video."""

    label: int
    segments: tuple[Marked, ...]  # in order, none within another; empty if not A/H
    language: str | None
    place: Place
    annotated: tuple[Annotated, ...] = ()  # by each annotator
    transcript: tuple[Utterance, ...] = ()


@dataclass(slots=True)
class Annotations:
    """By path of the video. `is_whole` is false if a file broke off: more may have been there."""

    found: dict[str, Annotation]
    is_whole: bool = True


def read_annotations(
    tree: Tree, files: dict[str, str], faults: Faults, *, join: bool = True
) -> Annotations:
    """Return all valid annotations; the others are faults of their videos.

    A video that several annotators labelled has the label of most of them, and the intervals of
    those who gave that label.
    """
    annotations = Annotations({})
    first: dict[str, Place] = {}
    several: dict[str, list[Annotation]] = {}
    namesakes = Namesakes(tree)
    contents = in_threads(_THREADS, read_source, files.values())
    for (path, uri), data in zip(files.items(), contents, strict=True):
        own = None if path == "" else namesakes.video_of(path)
        try:
            for video, item in _entries(tree, own, data):
                place = Place(file=uri, line=item.line)
                before = first.setdefault(video, place)
                one = _annotation(video, uri, item, faults, join)
                if one is None:
                    continue
                known = several.setdefault(video, [])
                if before != place and _is_same_annotator(known, one):
                    problem = f"{video} is annotated a second time (first: {before})"
                    faults.add(place, problem, "keep the right one", video=video)
                known.append(one)
        except NotYaml as error:
            wrong = error.problem
            place = Place(file=uri, line=wrong.line)
            faults.add(place, wrong.what, wrong.remedy, video=own)
            annotations.is_whole = annotations.is_whole and own is not None
    for video, given in several.items():
        combined = _combined(video, given, faults)
        if combined is not None and video not in faults.videos:
            annotations.found[video] = combined
    return annotations


def _is_same_annotator(known: list[Annotation], one: Annotation) -> bool:
    """Return whether one annotator labels a video twice, or a name is missing that would tell."""
    names = [each.annotator for annotation in (*known, one) for each in annotation.annotated]
    return None in names or len(set(names)) < len(names)


def _combined(video: str, given: list[Annotation], faults: Faults) -> Annotation | None:
    """Return the annotation of most annotators; a tie is a fault."""
    if len(given) == 1:
        return given[0]
    label = majority([one.label == 1 for one in given])
    if label is None:
        problem = f"{video} is A/H to as many annotators as it is not"
        remedy = "let one more annotator decide, or keep one annotation"
        faults.add(given[-1].place, problem, remedy, video=video)
        return None
    agreeing = [one for one in given if one.label == int(label)]
    segments = union((m.start_s, m.end_s or 0.0) for one in agreeing for m in one.segments)
    return replace(
        agreeing[0],
        segments=tuple(
            Marked(start_s=start_s, end_s=end_s, label=1, place=agreeing[0].place)
            for start_s, end_s in segments
        ),
        annotated=tuple(each for one in given for each in one.annotated),
    )


def _entries(tree: Tree, own: str | None, data: bytes) -> Iterator[tuple[str, Item]]:
    """Yield each video and its fields: a whole file that is of one video, or each entry of it."""
    items: Iterable[Item] = read_items(data, skip=_NOT_READ)
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


def _annotation(video: str, uri: str, item: Item, faults: Faults, join: bool) -> Annotation | None:
    """Return the annotation of one video; None if something in it is wrong."""

    def tell(line: int, problem: str, remedy: str) -> None:
        faults.add(Place(file=uri, line=line), problem, remedy, video=video)

    for problem in item.problems:
        tell(problem.line, problem.what, problem.remedy)
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
        segments=tuple(_marked(uri, intervals, join)),
        language=language_of(fields.get(_TRANSCRIPT)),
        place=Place(file=uri, line=item.line),
        annotated=(read_annotated(fields, label, intervals),),
        transcript=tuple(read_transcript(fields.get(_TRANSCRIPT))),
    )


def _label(fields: dict[str, Node], line: int, tell: Tell) -> int | None:
    node = fields.get(_LABEL)
    if node is None or node.content is None:
        tell(line if node is None else node.line, f"{_LABEL} is missing", "write 0 or 1")
        return None
    label = label_of(node.content) if isinstance(node.content, str) else None
    if label is None:
        tell(node.line, f"{_LABEL} is {_describe_node(node)}: an unknown label", "write 0 or 1")
    return label


def _intervals(marks: Node, tell: Tell) -> Iterator[tuple[float, float, int]]:
    """(start_s, end_s, line) of each that is one: pairs, or one pair alone."""
    pairs = marks.content
    if not isinstance(pairs, list):
        tell(marks.line, f"{_INTERVALS} is {_describe_node(marks)}", "write a list of [start, end]")
        return
    if len(pairs) == 2 and all(isinstance(one.content, str) for one in pairs):
        pairs = [marks]
    for pair in pairs:
        ends = pair.content
        if not isinstance(ends, list) or len(ends) != 2:
            tell(pair.line, f"the interval is {_describe_node(pair)}", "write [start, end]")
            continue
        start_s, end_s = (
            seconds_of(end.content) if isinstance(end.content, str) else None for end in ends
        )
        if start_s is None or end_s is None:
            wrong = ends[0] if start_s is None else ends[1]
            tell(
                wrong.line,
                f"{_describe_node(wrong)} is not a time",
                "write seconds or minutes:seconds",
            )
        elif end_s <= start_s:
            way = "reversed" if end_s < start_s else "empty"
            span = f"{ends[0].content} – {ends[1].content}"
            tell(pair.line, f"the interval {span} is {way}", "write [start, end], the end later")
        else:
            yield start_s, end_s, pair.line


def _marked(uri: str, intervals: list[tuple[float, float, int]], join: bool) -> Iterator[Marked]:
    """Yield the intervals in order. With `join`, those that overlap become one, so that no moment
    is learned twice."""
    joined: list[tuple[float, float, int]] = []
    for start_s, end_s, line in sorted(intervals):
        if join and joined and start_s < joined[-1][1]:
            before_s, until_s, first_line = joined[-1]
            joined[-1] = before_s, max(until_s, end_s), first_line
        else:
            joined.append((start_s, end_s, line))
    for start_s, end_s, line in joined:
        yield Marked(start_s=start_s, end_s=end_s, label=1, place=Place(file=uri, line=line))


def _describe_node(node: Node) -> str:
    if isinstance(node.content, str):
        return repr(node.content)
    if isinstance(node.content, list):
        return f"a list of {len(node.content)}"
    return "empty" if node.content is None else "a mapping"
