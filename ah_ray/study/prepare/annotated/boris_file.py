"""A project of BORIS (formats 4 to 7): each observation of one recording, as its annotator's words.

A state event is written twice, where it starts and where it stops. Events with the same subject,
behaviour and modifiers belong together in their order of time, as in BORIS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ah_ray.errors import ConfigError
from ah_ray.study.exchange.boris import STATE, VIDEO_ID
from ah_ray.study.exchange.vocabulary import Vocabulary
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.prepare.annotated.coded import Coded, CodedVideo, own_id
from ah_ray.study.prepare.annotated.json_fields import (
    Fields,
    fields_of,
    items_of,
    number_of,
    parse_json,
    text_of,
)

ENDINGS = (".boris",)
_PLAYER = "1"


@dataclass(frozen=True, slots=True)
class _Event:
    time_s: float
    subject: str
    code: str
    modifiers: str


def read_boris(
    file: str, data: bytes, vocabulary: Vocabulary, faults: Faults
) -> Iterator[CodedVideo]:
    """Yield what each observation of a project says. What cannot be used goes to `faults`."""
    try:
        project = fields_of(parse_json(data))
        if "behaviors_conf" not in project or not isinstance(project.get("observations"), dict):
            raise ConfigError("it has no behaviors_conf and observations; give a project of BORIS")
    except ConfigError as error:
        faults.add_error(Place(file=file), error, video=file)
        return
    behaviours = [fields_of(one) for one in fields_of(project["behaviors_conf"]).values()]
    kinds = {text_of(one.get("code")): text_of(one.get("type")) for one in behaviours}
    for name, observation in project["observations"].items():
        place = Place(file=file)
        try:
            yield _video(name, fields_of(observation), kinds, vocabulary, place)
        except ConfigError as error:
            part = f"observation {name!r}"
            faults.add_error(place, error, video=f"{file}\0{name}", part=part)


def _video(
    name: str, observation: Fields, kinds: dict[str, str], vocabulary: Vocabulary, place: Place
) -> CodedVideo:
    media = [text for one in items_of(fields_of(observation.get("file")).get(_PLAYER))
             if (text := text_of(one))]  # fmt: skip
    if len(media) != 1:
        raise ConfigError(
            f"it has {len(media)} media files in player {_PLAYER}; give each recording an "
            "observation of its own"
        )
    variables = fields_of(observation.get("independent_variables"))
    events = list(_events(observation))
    subjects = sorted({event.subject for event in events if event.subject})
    if len(subjects) > 1:
        raise ConfigError(
            f"its events are of several subjects ({', '.join(subjects[:3])}), and labels are of "
            "whole recordings; keep the events of one"
        )
    used = {event.code for event in events}
    return CodedVideo(
        media=(media[0],),
        video_id=own_id(text_of(variables.get(VIDEO_ID))),
        annotator=text_of(variables.get(vocabulary.annotator)) or None,
        participant=subjects[0] if subjects else None,
        annotations=tuple(_annotations(events, kinds, place)),
        tiers=tuple(sorted(used or kinds)),
        place=place,
        part=f"observation {name!r}",
    )


def _events(observation: Fields) -> Iterator[_Event]:
    """Yield the events in the order of time, counted from the beginning of the recording."""
    offset_s = number_of(observation.get("time offset")) or 0.0
    found = []
    for number, event in enumerate(items_of(observation.get("events")), 1):
        values = items_of(event)
        time_s = number_of(values[0]) if values else None
        if time_s is None or len(values) < 3:
            raise ConfigError(
                f"its event {number} has no time or no behaviour; correct it in BORIS"
            )
        modifiers = text_of(values[3]) if len(values) > 3 else ""
        subject, code = text_of(values[1]), text_of(values[2])
        found.append(_Event(round(time_s - offset_s, 3), subject, code, modifiers))
    yield from sorted(found, key=lambda event: event.time_s)


def _annotations(events: list[_Event], kinds: dict[str, str], place: Place) -> Iterator[Coded]:
    started: dict[tuple[str, str, str], float] = {}
    for event in events:
        if event.code not in kinds:
            raise ConfigError(
                f"the behaviour {event.code!r} is not in the ethogram; add it in BORIS"
            )
        if not kinds[event.code].startswith(STATE):
            yield _coded(event, event.time_s, event.time_s, place)
            continue
        key = (event.subject, event.code, event.modifiers)
        if key in started:
            yield _coded(event, started.pop(key), event.time_s, place)
        else:
            started[key] = event.time_s
    for (_, code, _), time_s in started.items():
        raise ConfigError(
            f"the state {code!r} that starts at {time_s:g} s never stops; close it in BORIS"
        )


def _coded(event: _Event, start_s: float, end_s: float, place: Place) -> Coded:
    modifiers = [one for one in event.modifiers.split("|") if one not in ("", "None")]
    return Coded(
        tier=event.code, value="|".join(modifiers), start_s=start_s, end_s=end_s, place=place
    )
