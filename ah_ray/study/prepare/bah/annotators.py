"""What BAH's annotators wrote beside the label: cues, certainty, who they are, and the transcript.

These fields explain a label and never change it. They are read as tolerantly as possible: what
cannot be understood is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ah_ray.study.label_values import seconds_of
from ah_ray.study.labelled_video import Annotated, MarkedInterval, Utterance
from ah_ray.study.prepare.bah.annotation_yaml import Node

ANNOTATORS = ("annotator_id", "annotator")
CERTAINTY, CUES = "certainty_ah", "all_cues"
_CUE_NAMES = {
    **dict.fromkeys(("face", "facial", "visual", "facial_expression"), "face"),
    **dict.fromkeys(("voice", "audio", "vocal", "speech"), "voice"),
    **dict.fromkeys(("words", "language", "verbal", "text"), "words"),
    **dict.fromkeys(("body", "body_language", "gesture"), "body"),
    **dict.fromkeys(
        ("contradiction", "inconsistency", "inconsistencies", "incons", "cross_modal"),
        "contradiction",
    ),
}
_NOTHING = {"", "none", "null", "nan", "no", "0", "false", "[]"}
_JUST_YES = {"1", "true", "yes", "x"}
Interval = tuple[float, float, int]


def read_annotated(fields: dict[str, Node], label: int, intervals: Sequence[Interval]) -> Annotated:
    """Return what one annotator says of one video; `intervals` are (start_s, end_s, line)."""
    certainty = list(_texts(fields.get(CERTAINTY)))
    cues = [_cues(node) for node in _items(fields.get(CUES))]
    marked = tuple(
        MarkedInterval(
            start_s=start_s,
            end_s=end_s,
            certainty=certainty[number] if number < len(certainty) else None,
            cues=tuple(cues[number]) if number < len(cues) else (),
        )
        for number, (start_s, end_s, _) in enumerate(intervals)
    )
    return Annotated(annotator=_annotator(fields), label=label, intervals=marked)


def _annotator(fields: dict[str, Node]) -> str | None:
    for name in ANNOTATORS:
        for text in _texts(fields.get(name)):
            if text:
                return text
    return None


def _items(node: Node | None) -> list[Node]:
    """Return the entries of a list, or a mapping alone as one entry."""
    if node is None or node.content is None:
        return []
    return node.content if isinstance(node.content, list) else [node]


def _texts(node: Node | None) -> Iterator[str | None]:
    for item in _items(node):
        yield (item.content.strip() or None) if isinstance(item.content, str) else None


def _cues(node: Node) -> Iterator[tuple[str, str | None]]:
    """Yield the cues of one interval: one of CUES, and the annotator's words."""
    content = node.content if isinstance(node.content, dict) else {}
    for name, value in content.items():
        cue = _CUE_NAMES.get(name.strip().lower().rstrip(".").replace(" ", "_").replace("-", "_"))
        parts = [text for text in _texts(value) if text and text.lower() not in _NOTHING]
        if cue is not None and parts:
            text = "; ".join(part for part in parts if part.lower() not in _JUST_YES)
            yield cue, text or None


def language_of(transcript: Node | None) -> str | None:
    """Return the language that most of the transcript is in."""
    spoken: Counter[str] = Counter()
    for utterance in read_transcript(transcript):
        if utterance.language:
            spoken[utterance.language] += len(utterance.text) + 1
    return spoken.most_common(1)[0][0] if spoken else None


def read_transcript(transcript: Node | None) -> list[Utterance]:
    """Return the pieces of a transcript, with their times where they are written."""
    if transcript is None:
        return []
    content = transcript.content
    pieces = content.get("chunks") if isinstance(content, dict) else transcript
    found = []
    for piece in _items(pieces):
        fields = piece.content if isinstance(piece.content, dict) else {}
        start_s, end_s = _times(fields.get("timestamp"))
        language, text = _text(fields.get("language")).strip().lower(), _text(fields.get("text"))
        if fields:
            found.append(
                Utterance(start_s=start_s, end_s=end_s, language=language or None, text=text)
            )
    return found


def _text(node: Node | None) -> str:
    return node.content if node is not None and isinstance(node.content, str) else ""


def _times(node: Node | None) -> tuple[float | None, float | None]:
    times = [None if text is None else seconds_of(text) for text in _texts(node)]
    return (times[0], times[1]) if len(times) == 2 else (None, None)
