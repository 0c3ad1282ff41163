"""BAH's meta_data.yml: age, gender, ethnicity and consent of each participant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ah_ray import storage
from ah_ray.cohort.participant_names import normal_form, show_spellings
from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.label_values import age_of, consent_of
from ah_ray.study.labelled_video import Person
from ah_ray.study.prepare.bah.annotation_yaml import Item, Node, NotYaml, read_items
from ah_ray.study.source_files import read_source

_FILES = ("meta_data.yml", "meta_data.yaml")
_CONSENTS = {"challenges": "use in challenges", "publications": "use in publications"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A participant of meta_data.yml. `consents` is null where that could not be read."""

    person: Person
    consents: bool | None
    place: Place


def read_people(
    root: str, file: str | None, consent: Sequence[str], faults: Faults
) -> dict[str, Listed] | None:
    """Return participants by the normal form of their names.

    Return None if the data set has no such file and none is needed. `consents` of a participant is
    whether all that `consent` names (challenges, publications, or a column) was given. Raise
    ConfigError for a column that nobody has.
    """
    found = _open(root, file, consent)
    if found is None:
        return None
    uri, data = found
    columns = [_CONSENTS.get(name.lower(), name.lower()) for name in consent]
    people: dict[str, Listed] = {}
    names: dict[str, str] = {}
    known: set[str] = set()
    try:
        for item in read_items(data):
            place = Place(file=uri, line=item.line)
            person = normal_form(item.key)
            if person in people:
                who, first = show_spellings([names[person], item.key]), people[person].place.line
                twice = f"participant {who} is there twice, first on line {first}"
                faults.add(place, twice, "keep the right one", participant=item.key)
            names.setdefault(person, item.key)
            fields = _fields(uri, item, faults)
            if fields is None:
                continue
            known |= fields.keys()
            people[person] = Listed(
                person=_person(uri, item.key, fields, faults),
                consents=_consents(uri, item.key, fields, columns, faults),
                place=place,
            )
    except NotYaml as error:
        problem = error.problem
        faults.add(Place(file=uri, line=problem.line), problem.what, problem.remedy)
        return people
    for name, column in zip(consent, columns, strict=True):
        if people and column not in known:
            shown = ", ".join(sorted(known)) or "none"
            raise ConfigError(f"--consent {name}: {uri} has no such field (it has: {shown})")
    return people


def _fields(uri: str, item: Item, faults: Faults) -> dict[str, Node] | None:
    """What is written of a participant, by names in lower case; None if it is no fields."""
    who = f"participant {item.key}"
    for problem in item.problems:
        line = Place(file=uri, line=problem.line)
        faults.add(line, f"{who}: {problem.what}", problem.remedy, participant=item.key)
    fields = item.value.content
    if isinstance(fields, dict):
        return {name.strip().lower(): node for name, node in fields.items()}
    place, remedy = Place(file=uri, line=item.line), "write `Age: …` and so on"
    faults.add(place, f"{who} has no fields", remedy, participant=item.key)
    return None


def _open(root: str, file: str | None, consent: Sequence[str]) -> tuple[str, bytes] | None:
    uris = [storage.normalise(file)] if file else [storage.join(root, name) for name in _FILES]
    for uri in uris:
        try:
            return uri, read_source(uri)
        except ObjectMissing:
            continue
    if file:
        raise ConfigError(f"--meta {file}: there is no such file")
    if consent:
        raise ConfigError(
            f"{' and '.join(uris)}: there is no such file, which tells consent: name it with --meta"
        )
    return None


def _text(node: Node | None) -> str | None:
    text = node.content if node else None
    return (text.strip() or None) if isinstance(text, str) else None


def _person(uri: str, participant: str, fields: dict[str, Node], faults: Faults) -> Person:
    age = None
    if written := _text(fields.get("age")):
        age = age_of(written)
        if age is None:
            place = Place(file=uri, line=fields["age"].line)
            problem = f"participant {participant}: {written!r} is not an age"
            faults.add(place, problem, "write whole years", participant=participant)
    ethnicity = fields.get("ethnicity simplified") or fields.get("ethnicity")
    return Person(age=age, gender=_text(fields.get("gender")), ethnicity=_text(ethnicity))


def _consents(
    uri: str, participant: str, fields: dict[str, Node], columns: Sequence[str], faults: Faults
) -> bool | None:
    given = True
    for column in columns:
        node = fields.get(column)
        said = consent_of(_text(node))
        if said is None and node is not None:
            place = Place(file=uri, line=node.line)
            problem = (
                f"participant {participant}: {_text(node)!r} says neither yes nor no to {column!r}"
            )
            faults.add(place, problem, "write Yes or No", participant=participant)
            return None
        given = given and said is True
    return given
