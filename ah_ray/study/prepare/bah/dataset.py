"""BAH: split files, annotations, people and videos joined into labelled videos.

Each source is read by a module of its own (splits, annotations, people, tree);
here they are compared, and what does not agree is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ah_ray import storage
from ah_ray.cohort.identity import video_id_of
from ah_ray.cohort.participant_names import normal_form
from ah_ray.errors import ConfigError
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.labelled_video import LabelledVideo, Marked, Person
from ah_ray.study.participants import check_splits, compiled, participant_in
from ah_ray.study.prepare.bah.annotations import Annotation, Annotations, read_annotations
from ah_ray.study.prepare.bah.people import Listed, read_people
from ah_ray.study.prepare.bah.splits import SplitLine, read_splits
from ah_ray.study.prepare.bah.tree import Tree, annotation_files, open_tree
from ah_ray.study.prepare.settings import LeftOut, Overlaps, PrepareSettings

NO_CONSENT = "videos without consent"
_HOW_NAMED = (
    "name it <participant>/<visit>/<participant>_Question_…, or give a --participant-pattern that "
    "finds it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    """Everything that a BAH tree says, and whose videos may be used."""

    tree: Tree
    lines: list[SplitLine]
    annotations: Annotations
    people: dict[str, Listed] | None
    participant_of: Callable[[str], str | None]
    asks_consent: bool

    def listed(self, path: str) -> Listed | None:
        participant = self.participant_of(path)
        return (self.people or {}).get(normal_form(participant or ""))

    def refused(self, path: str) -> bool:
        """Return whether the participant of a video did not consent."""
        listed = self.listed(path)
        return self.asks_consent and listed is not None and listed.consents is False


def read_bah(
    settings: PrepareSettings, id_key: bytes | None, faults: Faults, left_out: LeftOut
) -> list[LabelledVideo]:
    """Return all videos of the data set that may be used, in the order of their split files.

    Mistakes go to `faults`. Videos without consent are counted in `left_out` and never opened.
    Raise ConfigError if a part of the data set is missing altogether.
    """
    sources = _read(settings, faults)
    _report_videos_without_split(sources, faults)
    root = storage.normalise(settings.videos or sources.tree.root)
    usable = []
    for line in sources.lines:
        if sources.refused(line.path):
            left_out[NO_CONSENT] += 1
            faults.forget(line.path)
        else:
            usable.append(line)
    _report_leaks(sources, usable, faults)
    videos = []
    for line in _once(usable, faults):
        _check(sources, line, faults)
        participant = sources.participant_of(line.path)
        annotation = sources.annotations.found.get(line.path)
        if faults.concern(line.path, participant) or annotation is None or participant is None:
            continue
        listed, uri = sources.listed(line.path), sources.tree.videos[line.path]
        videos.append(
            LabelledVideo(
                uri=uri,
                video_id=video_id_of(relative_key(uri, root), id_key),
                label=annotation.label,
                participant=participant,
                split=line.split,
                marked=_marked(annotation),
                place=line.place,
                person=listed.person if listed else Person(),
                language=annotation.language,
                annotations=annotation.annotated,
                transcript=annotation.transcript if settings.with_transcripts else None,
            )
        )
    return videos


def _read(settings: PrepareSettings, faults: Faults) -> _Sources:
    tree = open_tree(settings.bah or "")
    pattern = compiled(settings.participant_pattern)
    if pattern and not any(participant_in(path, pattern) for path in tree.videos):
        raise ConfigError(
            f"--participant-pattern {settings.participant_pattern} finds nobody in "
            f"{next(iter(tree.videos))}, nor in any other: correct it"
        )
    return _Sources(
        tree=tree,
        lines=read_splits(tree.root, settings.splits, tree.path_of, faults),
        people=read_people(tree.root, settings.meta, settings.consent, faults),
        annotations=read_annotations(
            tree,
            annotation_files(tree, settings.annotations),
            faults,
            join=settings.overlaps is Overlaps.JOIN,
        ),
        participant_of=lambda path: participant_in(path, pattern),
        asks_consent=bool(settings.consent),
    )


def _report_videos_without_split(sources: _Sources, faults: Faults) -> None:
    """Add a fault for each video, or annotation, that no split file names."""
    named = {line.path for line in sources.lines}
    places = {path: Place(file=uri) for path, uri in sources.tree.videos.items()}
    places |= {path: one.place for path, one in sources.annotations.found.items()}
    for path, place in places.items():
        if path not in named and not sources.refused(path):
            what = (
                "is in no split" if path in sources.tree.videos else "is no video, nor in a split"
            )
            faults.add(place, f"{path} {what}", "add a line to one, or take it out", video=path)


def _report_leaks(sources: _Sources, lines: list[SplitLine], faults: Faults) -> None:
    known = ((sources.participant_of(line.path), line.split, line.place) for line in lines)
    check_splits(((who, split, place) for who, split, place in known if who is not None), faults)


def _once(lines: list[SplitLine], faults: Faults) -> Iterator[SplitLine]:
    """Yield each video's first line; the others are faults."""
    first: dict[str, SplitLine] = {}
    for line in lines:
        before = first.setdefault(line.path, line)
        if before is not line:
            problem = f"{line.path} is listed a second time (first: {before.place})"
            faults.add(line.place, problem, "keep one of the lines", video=line.path)
    yield from first.values()


def _check(sources: _Sources, line: SplitLine, faults: Faults) -> None:
    """Add a fault for everything in which a line of a split file and other sources differ."""

    def tell(problem: str, remedy: str) -> None:
        faults.add(line.place, f"{line.path} {problem}", remedy, video=line.path)

    annotation = sources.annotations.found.get(line.path)
    is_there = line.path in sources.tree.videos
    if not is_there:
        tell("is not there", "put the video there, or take the line out")
    if annotation is None and sources.annotations.is_whole and line.path not in faults.videos:
        tell("has no annotation", "annotate it, or take the line out")
    if annotation and line.label is not None and line.label != annotation.label:
        tell(
            f"is {line.label} here, but global_ah is {annotation.label} ({annotation.place})",
            "make both the same",
        )
    if sources.participant_of(line.path) is None:
        if is_there:
            tell("does not tell whose it is", _HOW_NAMED)
    elif sources.asks_consent and sources.listed(line.path) is None:
        tell("is of a participant without meta data", "add what they consented to")


def _marked(annotation: Annotation) -> tuple[Marked, ...]:
    if annotation.label:
        return annotation.segments
    return (Marked(start_s=0.0, end_s=None, label=0, place=annotation.place),)


def relative_key(uri: str, root: str) -> str:
    """Return the key by which a scoring run over `root` names a video."""
    folder = storage.as_folder(root)
    if not uri.startswith(folder):
        raise ConfigError(f"--videos {root} does not hold {uri}: name the folder that is scored")
    return uri.removeprefix(folder)
