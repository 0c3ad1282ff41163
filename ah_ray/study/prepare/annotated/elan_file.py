"""A file of ELAN (EAF 2.7 to 3.0): its tiers by annotator, with all times in seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ah_ray.errors import ConfigError
from ah_ray.study.exchange.elan import MADE_BY
from ah_ray.study.exchange.tiers import BY
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.prepare.annotated.coded import Coded, CodedVideo, own_id
from ah_ray.study.prepare.annotated.xml_tree import Element, parse_xml

ENDINGS = (".eaf",)
_ROOT, _UNITS = "ANNOTATION_DOCUMENT", "milliseconds"
_LAYER = re.compile(r"(.+) \(\d+\)")


@dataclass(frozen=True, slots=True)
class _Aligned:
    """Where an annotation is; None where ELAN does not know either."""

    start_ms: int | None
    end_ms: int | None


def read_elan(file: str, data: bytes, faults: Faults) -> Iterator[CodedVideo]:
    """Yield what each annotator says in one file. What cannot be used goes to `faults`."""
    try:
        root = parse_xml(data)
        yield from _Document(file, root, faults).read()
    except ConfigError as error:
        faults.add_error(Place(file=file), error, video=file)


class _Document:
    """One file while it is read."""

    def __init__(self, file: str, root: Element, faults: Faults):
        self._file, self._root, self._faults = file, root, faults
        if root.name != _ROOT:
            raise ConfigError(f"its root is {root.name[:40]}, not {_ROOT}; give a file of ELAN")
        header = next(root.find_all("HEADER"), Element("HEADER", {}, 0))
        if (units := header.fields.get("TIME_UNITS", _UNITS)) != _UNITS:
            raise ConfigError(f"its times are in {units[:40]}; save it again with ELAN")
        self._media = list(header.find_all("MEDIA_DESCRIPTOR"))
        properties = {one.fields.get("NAME"): one.text for one in header.find_all("PROPERTY")}
        self._video_id = properties.get("video_id")
        origin = self._media[0].fields.get("TIME_ORIGIN", "0") if self._media else "0"
        self._origin_ms = int(origin) if origin.isdecimal() else 0
        self._slots = {
            slot.fields.get("TIME_SLOT_ID"): _time(slot)
            for slot in root.find_all("TIME_ORDER", "TIME_SLOT")
        }

    def read(self) -> Iterator[CodedVideo]:
        tiers = list(self._root.find_all("TIER"))
        names = {tier.fields.get("TIER_ID", "") for tier in tiers}
        aligned = self._align(tiers)
        by_annotator: dict[str | None, list[Element]] = {}
        for tier in tiers:
            by_annotator.setdefault(self._annotator(tier), []).append(tier)
        participant = next((name for tier in tiers if (name := _field(tier, "PARTICIPANT"))), None)
        for annotator, theirs in by_annotator.items():
            kinds = [_kind(tier, names) for tier in theirs]
            yield CodedVideo(
                media=self._names_of_media(),
                video_id=own_id(self._video_id),
                annotator=annotator,
                participant=participant,
                annotations=tuple(
                    coded
                    for tier, kind in zip(theirs, kinds, strict=True)
                    for coded in self._annotations(tier, kind, aligned)
                ),
                tiers=tuple(dict.fromkeys(kinds)),
                place=Place(file=self._file),
            )

    def _annotator(self, tier: Element) -> str | None:
        """Return who annotated a tier: as it says itself, or else the author of the document."""
        author = self._root.fields.get("AUTHOR", "").strip()
        return _field(tier, "ANNOTATOR") or (author if author != MADE_BY else "") or None

    def _names_of_media(self) -> tuple[str, ...]:
        first = self._media[0].fields if self._media else {}
        urls = [first.get("RELATIVE_MEDIA_URL", ""), first.get("MEDIA_URL", "")]
        beside = self._file.rpartition("/")[2].rpartition(".")[0]
        return tuple(url.strip() for url in urls if url.strip()) or (beside,)

    def _align(self, tiers: list[Element]) -> Mapping[str, _Aligned]:
        """Return times by annotation; those that refer to another have the times of that."""
        found: dict[str, _Aligned] = {}
        parent: dict[str, str] = {}
        for tier in tiers:
            for one in tier.find_all("ANNOTATION", "ALIGNABLE_ANNOTATION"):
                start, end = (one.fields.get(f"TIME_SLOT_REF{n}") for n in (1, 2))
                times = _Aligned(self._slots.get(start), self._slots.get(end))
                found[one.fields.get("ANNOTATION_ID", "")] = times
            for one in tier.find_all("ANNOTATION", "REF_ANNOTATION"):
                parent[one.fields.get("ANNOTATION_ID", "")] = one.fields.get("ANNOTATION_REF", "")
        for name in parent:
            seen, above = {name}, parent[name]
            while above in parent and above not in seen:
                seen.add(above)
                above = parent[above]
            found[name] = found.get(above, _Aligned(None, None))
        return found

    def _annotations(
        self, tier: Element, kind: str, aligned: Mapping[str, _Aligned]
    ) -> Iterator[Coded]:
        for holder in tier.find_all("ANNOTATION"):
            for one in holder.children:
                times = aligned[one.fields.get("ANNOTATION_ID", "")]
                place = Place(file=self._file, line=one.line)
                if times.start_ms is None or times.end_ms is None:
                    problem = f"an annotation in tier {kind!r} has no time"
                    remedy = "align it with the timeline in ELAN"
                    self._faults.add(place, problem, remedy, video=self._file)
                    continue
                yield Coded(
                    tier=kind,
                    value=one.find_text("ANNOTATION_VALUE").strip(),
                    start_s=(times.start_ms + self._origin_ms) / 1000,
                    end_s=(times.end_ms + self._origin_ms) / 1000,
                    place=place,
                )


def _time(slot: Element) -> int | None:
    text = slot.fields.get("TIME_VALUE", "")
    return int(text) if re.fullmatch(r"\d{1,12}", text, re.ASCII) else None


def _field(tier: Element, name: str) -> str:
    return tier.fields.get(name, "").strip()


def _kind(tier: Element, names: set[str]) -> str:
    """Return a tier's name without the annotator or speaker behind an @, and without its layer."""
    name = tier.fields.get("TIER_ID", "").strip()
    plain = _without_person(tier, name)
    layer = _LAYER.fullmatch(name)
    if plain != name or layer is None or layer[1] not in names:
        return plain
    return _without_person(tier, layer[1])


def _without_person(tier: Element, name: str) -> str:
    for who in (_field(tier, "ANNOTATOR"), _field(tier, "PARTICIPANT")):
        if who and (kind := name.removesuffix(BY + who)) not in (name, ""):
            return kind
    return name
