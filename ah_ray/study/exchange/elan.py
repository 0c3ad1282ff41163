"""ELAN: one .eaf file for each recording (EAF 3.0), with a tier for each annotator and question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count
from mimetypes import guess_type
from xml.etree import ElementTree

from ah_ray.config.containers import MIME_TYPES
from ah_ray.study.exchange.clean_text import clean_text
from ah_ray.study.exchange.recording import ExportedCohort, Recording
from ah_ray.study.exchange.tiers import (
    Span,
    Tier,
    label_tiers,
    layer_name,
    model_tiers,
    split_layers,
)
from ah_ray.study.links import recording_url

MADE_BY = "ah_ray"
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TEXT_TYPE = "text"
_LANGUAGE = "und"
Fields = dict[str, str]


def elan_files(cohort: ExportedCohort) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each file."""
    for recording in cohort.recordings:
        yield f"{recording.name}.eaf", eaf_of(recording, cohort)


def eaf_of(recording: Recording, cohort: ExportedCohort) -> bytes:
    """Return the document of one recording."""
    return _Document(recording, cohort).write()


class _Document:
    """One document while it is written: ELAN numbers time slots and annotations throughout."""

    def __init__(self, recording: Recording, cohort: ExportedCohort):
        self._recording, self._cohort = recording, cohort
        self._tiers = list(_layers(recording, cohort))
        vocabularies = dict.fromkeys(tier.values for tier, _ in self._tiers if tier.values)
        self._vocabularies = {
            values: f"answers {number}" for number, values in enumerate(vocabularies, 1)
        }

    def write(self) -> bytes:
        root = ElementTree.Element(
            "ANNOTATION_DOCUMENT",
            {
                "AUTHOR": MADE_BY,
                "DATE": _date(self._cohort.scored_at),
                "FORMAT": "3.0",
                "VERSION": "3.0",
                "xmlns:xsi": _XSI,
                "xsi:noNamespaceSchemaLocation": _SCHEMA,
            },
        )
        self._add_header(root)
        order = ElementTree.SubElement(root, "TIME_ORDER")
        slots = self._number_slots()
        for (time_ms, *_), slot in slots.items():
            _add(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(time_ms)})
        self._add_tiers(root, slots)
        self._add_types(root)
        ElementTree.indent(root, " ")
        text: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
        return text + b"\n"

    def _add_header(self, root: ElementTree.Element) -> None:
        header = _add(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
        recording = self._recording
        place = (
            recording_url(recording.media)
            if recording.is_linked
            else f"file:///./{recording.media}"
        )
        _add(
            header,
            "MEDIA_DESCRIPTOR",
            {
                "MEDIA_URL": place,
                "MIME_TYPE": _mime_type(recording.media_name),
                "RELATIVE_MEDIA_URL": f"./{clean_text(recording.media_name)}",
            },
        )
        properties = {
            "lastUsedAnnotationId": str(sum(len(spans) for _, spans in self._tiers)),
            "model": self._cohort.model,
            "video_id": recording.name,
        }
        for name, value in properties.items():
            _add(header, "PROPERTY", {"NAME": name}).text = clean_text(value)

    def _number_slots(self) -> dict[tuple[int, int, int, int], str]:
        """Return the id of each slot by (time in ms, tier, span, end), in the order of time."""
        times = sorted(
            (time_ms, number, place, end)
            for number, (_, spans) in enumerate(self._tiers)
            for place, span in enumerate(spans)
            for end, time_ms in enumerate((span.start_ms, span.end_ms))
        )
        return {key: f"ts{number}" for number, key in enumerate(times, 1)}

    def _add_tiers(
        self, root: ElementTree.Element, slots: dict[tuple[int, int, int, int], str]
    ) -> None:
        n_before, names = 0, list(_name_layers(self._tiers))
        for number, (tier, spans) in enumerate(self._tiers):
            kind = self._vocabularies.get(tier.values, _TEXT_TYPE)
            people = {
                "ANNOTATOR": MADE_BY if tier.is_model else tier.annotator,
                "PARTICIPANT": self._recording.participant,
            }
            known = {name: clean_text(text) for name, text in people.items() if text}
            element = _add(
                root,
                "TIER",
                {**known, "LINGUISTIC_TYPE_REF": kind, "TIER_ID": names[number]},
            )
            for place, span in enumerate(spans):
                n_before += 1
                holder = _add(element, "ANNOTATION", {})
                aligned = _add(
                    holder,
                    "ALIGNABLE_ANNOTATION",
                    {
                        "ANNOTATION_ID": f"a{n_before}",
                        **self._entry(tier, span),
                        "TIME_SLOT_REF1": slots[span.start_ms, number, place, 0],
                        "TIME_SLOT_REF2": slots[span.end_ms, number, place, 1],
                    },
                )
                _add(aligned, "ANNOTATION_VALUE", {}).text = clean_text(span.text)

    def _entry(self, tier: Tier, span: Span) -> Fields:
        """Return the reference of a value to its entry in the controlled vocabulary."""
        if span.text not in tier.values:
            return {}
        return {"CVE_REF": _entry_id(self._vocabularies[tier.values], tier.values.index(span.text))}

    def _add_types(self, root: ElementTree.Element) -> None:
        plain = {"GRAPHIC_REFERENCES": "false", "TIME_ALIGNABLE": "true"}
        _add(root, "LINGUISTIC_TYPE", {**plain, "LINGUISTIC_TYPE_ID": _TEXT_TYPE})
        for name in self._vocabularies.values():
            fields = {"CONTROLLED_VOCABULARY_REF": name, **plain, "LINGUISTIC_TYPE_ID": name}
            _add(root, "LINGUISTIC_TYPE", fields)
        _add(
            root,
            "LANGUAGE",
            {
                "LANG_DEF": f"http://cdb.iso.org/lg/CDB-00130975-001#{_LANGUAGE}",
                "LANG_ID": _LANGUAGE,
                "LANG_LABEL": "undetermined (und)",
            },
        )
        for values, name in self._vocabularies.items():
            vocabulary = _add(root, "CONTROLLED_VOCABULARY", {"CV_ID": name})
            _add(vocabulary, "DESCRIPTION", {"LANG_REF": _LANGUAGE})
            for place, value in enumerate(values):
                entry = _add(vocabulary, "CV_ENTRY_ML", {"CVE_ID": _entry_id(name, place)})
                fields = {"DESCRIPTION": "", "LANG_REF": _LANGUAGE}
                _add(entry, "CVE_VALUE", fields).text = clean_text(value)


def _layers(
    recording: Recording, cohort: ExportedCohort
) -> Iterator[tuple[Tier, tuple[Span, ...]]]:
    """Yield people's tiers, then the model's, each as layers without overlaps."""
    for tier in (*label_tiers(recording, cohort), *model_tiers(recording, cohort)):
        for spans in split_layers(tier.spans) or [()]:
            yield tier, spans


def _name_layers(tiers: Sequence[tuple[Tier, tuple[Span, ...]]]) -> Iterator[str]:
    """Yield a name for each layer, which no other has."""
    taken: set[str] = set()
    for tier, _ in tiers:
        names = (clean_text(layer_name(tier.name, number)) for number in count())
        taken.add(name := next(name for name in names if name not in taken))
        yield name


def _add(parent: ElementTree.Element, name: str, fields: Fields) -> ElementTree.Element:
    return ElementTree.SubElement(parent, name, fields)


def _entry_id(vocabulary: str, place: int) -> str:
    return f"cveid_{vocabulary.rpartition(' ')[2]}_{place}"


def _date(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat()


def _mime_type(name: str) -> str:
    ending = "." + name.rpartition(".")[2].lower()
    return MIME_TYPES.get(ending) or guess_type("x" + ending)[0] or "video/*"
