"""OUT/config.json: the configuration in force. One OUT holds one, so provenance never mixes."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ah_ray import storage
from ah_ray.cohort.identity import video_id_in
from ah_ray.config import SCORING_VERSION, Reduction, Scoring
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.profile import first_problem
from ah_ray.records import SCHEMA_VERSION
from ah_ray.results.row_files import check_version, rows_folder


class Member(BaseModel):
    """What scored an output, or one of those that an ensemble was formed from."""

    model_config = ConfigDict(frozen=True)

    scoring: Scoring
    config_fingerprint: str


class OutputConfig(BaseModel):
    """What all rows of an output have in common.

    `scoring` is null, and `members` are set, where jobs/reduce.py formed the rows from several
    outputs.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA_VERSION
    scoring_version: int = SCORING_VERSION
    config_fingerprint: str
    scoring: Scoring | None = None
    reduction: Reduction
    members: tuple[Member, ...] = ()
    hide_uris: bool = False  # its rows hold no names

    def described(self) -> str:
        """In a few words, what scored it."""
        if self.scoring is None:
            return f"{self.reduction.ensemble} of {len(self.members)} outputs"
        return f"model {self.scoring.model}, profile {self.scoring.profile.name}"


def config_of(scoring: Scoring, reduction: Reduction, hide_uris: bool = False) -> OutputConfig:
    return OutputConfig(
        config_fingerprint=scoring.fingerprint,
        scoring=scoring,
        reduction=reduction,
        hide_uris=hide_uris,
    )


def read_config(out: str) -> OutputConfig | None:
    """The configuration in force; None if OUT has none yet. Raises ConfigError if it is damaged."""
    uri = _uri(out)
    try:
        fields = json.loads(storage.read_bytes(uri))
        check_version(uri, fields["schema_version"])
        return OutputConfig(**fields)
    except ObjectMissing:
        return None
    except StorageError as error:
        raise ConfigError(f"--out {out}: {error}") from None
    except ValidationError as error:
        problem = first_problem(error)
    except (ValueError, TypeError, KeyError):
        problem = "it is not JSON as ah_ray writes it"
    raise ConfigError(
        f"{uri} is damaged ({problem}): bring it back from a copy, or choose another --out"
    )


def config_in(out: str) -> OutputConfig:
    """The same, of what has to be an output: raises ConfigError if it is none."""
    config = read_config(out)
    if config is None:
        raise ConfigError(f"{out} is no output of ah_ray: it has no config.json")
    return config


def write_config(out: str, config: OutputConfig) -> None:
    """Raises ConfigError if OUT cannot be written to."""
    try:
        storage.write_whole(_uri(out), config.model_dump_json(indent=2).encode() + b"\n")
    except StorageError as error:
        raise ConfigError(f"--out {out} cannot be written to: {error}") from None


def check(
    out: str,
    scoring: Scoring,
    reduction: Reduction,
    *,
    rescore: bool = False,
    hide_uris: bool = False,
) -> bool:
    """True if OUT's configuration is this one; False if it has none, or `rescore` replaces it.

    Writes nothing. Raises ConfigError, which says what differs and what to do, otherwise.
    """
    return matches(out, config_of(scoring, reduction, hide_uris), rescore=rescore)


def claim(
    out: str,
    scoring: Scoring,
    reduction: Reduction,
    *,
    rescore: bool = False,
    hide_uris: bool = False,
) -> None:
    """Puts this configuration in force. Raises ConfigError if another one is, as `check` does.

    With `hide_uris` a model's path is cut to its last part.
    """
    if not check(out, scoring, reduction, rescore=rescore, hide_uris=hide_uris):
        if hide_uris:
            scoring = scoring.model_copy(update={"model": PurePosixPath(scoring.model).name})
        write_config(out, config_of(scoring, reduction, hide_uris))


def matches(out: str, wanted: OutputConfig, *, rescore: bool | None = None) -> bool:
    """As `check`, for any configuration, an ensemble's too; `rescore` is null where none can be."""
    found = read_config(out)
    mend = "choose another --out" + ("" if rescore is None else ", or replace them with --rescore")
    if found is None:
        if not rescore and _has_rows(out):
            raise ConfigError(
                f"--out {out} holds rows but no config.json, so what scored them is not known: "
                f"bring it back from a copy, {mend}"
            )
        return False
    if found.hide_uris != wanted.hide_uris:
        how = "with" if found.hide_uris else "without"
        raise ConfigError(
            f"--out {out} was written {how} --hide-uris, and its rows stay so: do the same, or "
            "choose another --out"
        )
    if found.config_fingerprint != wanted.config_fingerprint:
        if rescore:
            return False
        raise ConfigError(
            f"the rows in --out {out} were scored in another way ({_difference(found, wanted)}): "
            f"{mend}"
        )
    if found.reduction != wanted.reduction:
        told = {"scaling", "members"}  # by the calibration's fingerprint
        changes = _changes(*(c.reduction.model_dump(exclude=told) for c in (found, wanted)))
        raise ConfigError(
            f"the rows in --out {out} were reduced in another way ({changes}): this needs no new "
            "scoring; form new verdicts with `python jobs/reduce.py`, into another folder"
        )
    return True


def _uri(out: str) -> str:
    return storage.join(out, "config.json")


def _has_rows(out: str) -> bool:
    try:
        pages = storage.list_pages(rows_folder(out))
        return any(video_id_in(entry.key) for page in pages for entry in page)
    except ObjectMissing:
        return False
    except StorageError as error:
        raise ConfigError(f"--out {out}: {error}") from None


def _difference(found: OutputConfig, wanted: OutputConfig) -> str:
    if found.scoring is None or wanted.scoring is None:
        return f"{found.described()} → {wanted.described()}"
    versions = ({"scoring_version": config.scoring_version} for config in (found, wanted))
    changes = (_changes(*versions), scoring_changes(found.scoring, wanted.scoring))
    return ", ".join(filter(None, changes))


def scoring_changes(found: Scoring, wanted: Scoring) -> str:
    """What differs between two scorings, as `name before → after`."""
    before, after = (
        scoring.model_dump(mode="json", exclude={"models"}) for scoring in (found, wanted)
    )
    if before["profile"]["name"] != after["profile"]["name"]:  # says it all
        before["profile"], after["profile"] = before["profile"]["name"], after["profile"]["name"]
    return _changes(before, after)


def _changes(before: dict[str, Any], after: dict[str, Any], within: str = "") -> str:
    """The settings that differ, as `name before → after`."""
    found = []
    for name in before:
        old, new = before[name], after[name]
        if isinstance(old, dict) and isinstance(new, dict):
            found.append(_changes(old, new, f"{within}{name}."))
        elif old != new:
            found.append(f"{within}{name} {_short(old)} → {_short(new)}")
    return ", ".join(filter(None, found))


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "…"
