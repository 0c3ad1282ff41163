"""OUT/config.json: the configuration of all its rows. One OUT holds one configuration."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from pydantic import ConfigDict, ValidationError

from ah_ray import storage
from ah_ray.cohort.identity import video_id_in
from ah_ray.config import SCORING_VERSION, Scoring
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.output import rows_folder
from ah_ray.output.guarded_write import write_guarded
from ah_ray.output.row_files import EMBEDDINGS_FOLDER
from ah_ray.output.table_files import ANSWERS_FILE, CLIPS_FILE, VERDICTS_FILE
from ah_ray.profile import Profile, Question
from ah_ray.provenance.learned_from import LearnedFrom
from ah_ray.records import SCHEMA_VERSION, check_version
from ah_ray.validation import FrozenModel, first_problem
from ah_ray.verdicts.reduction import Reduction

_OWN_NAMES = {
    "config.json",
    "lease.json",
    VERDICTS_FILE,
    CLIPS_FILE,
    ANSWERS_FILE,
    "videos",
    EMBEDDINGS_FOLDER,
    "runs",
}


class Member(FrozenModel):
    """What scored an output, or one member of an ensemble."""

    model_config = ConfigDict(extra="ignore")  # a later version may have written more

    scoring: Scoring
    config_fingerprint: str


class OutputConfig(FrozenModel):
    """The configuration that all rows of an output have in common.

    `scoring` is null, and `members` are set, where jobs/reduce.py formed the rows from several
    outputs.
    """

    model_config = ConfigDict(extra="ignore")  # a later version may have written more

    schema_version: int = SCHEMA_VERSION
    scoring_version: int = SCORING_VERSION
    config_fingerprint: str
    scoring: Scoring | None = None
    reduction: Reduction
    members: tuple[Member, ...] = ()
    hide_uris: bool = False  # the rows hold no names
    learned_from: tuple[LearnedFrom, ...] = ()  # whose videos its models and calibrations know

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Return the profile of each scoring: one, or one for each member of an ensemble."""
        scorings = [self.scoring] if self.scoring else [member.scoring for member in self.members]
        return tuple(scoring.profile for scoring in scorings)

    @property
    def questions(self) -> dict[str, Question]:
        """Return all questions by their names, as the first profile that asks them has them."""
        found: dict[str, Question] = {}
        for profile in self.profiles:
            for question in profile.complete_questions:
                found.setdefault(question.name, question)
        return found

    @property
    def construct_name(self) -> str:
        """Return what the first question is about: `A/H`; several constructs with a plus."""
        return " + ".join(dict.fromkeys(profile.construct_name for profile in self.profiles))

    def describe(self) -> str:
        """Return in a few words what scored the output."""
        if self.scoring is None:
            return f"{self.reduction.ensemble} of {len(self.members)} outputs"
        return f"model {self.scoring.model}, profile {self.scoring.profile.title}"


def make_config(
    scoring: Scoring,
    reduction: Reduction,
    hide_uris: bool = False,
    learned_from: Sequence[LearnedFrom] = (),
) -> OutputConfig:
    """Return the configuration of an output that this scoring and reduction fill."""
    return OutputConfig(
        config_fingerprint=scoring.fingerprint,
        scoring=scoring,
        reduction=reduction,
        hide_uris=hide_uris,
        learned_from=tuple(learned_from),
    )


def read_config(out: str) -> OutputConfig | None:
    """Return OUT's configuration; None if it has none yet. Raise ConfigError if it is damaged."""
    uri = _uri(out)
    try:
        fields = json.loads(storage.read_bytes(uri))
        check_version(uri, fields["schema_version"])
        return OutputConfig(**fields)
    except ObjectMissing:
        return None
    except StorageError as error:
        raise ConfigError(f"{out}: {error}") from None
    except ValidationError as error:
        problem = first_problem(error)
    except (ValueError, TypeError, KeyError):
        problem = "it is not JSON as ah_ray writes it"
    raise ConfigError(
        f"{uri} is damaged ({problem}): bring it back from a copy, or choose another folder"
    )


def require_config(out: str) -> OutputConfig:
    """Return an output's configuration. Raise ConfigError if the folder is not an output."""
    config = read_config(out)
    if config is None:
        raise ConfigError(f"{out} is no output of ah_ray: it has no config.json")
    return config


def is_own_file(out: str, uri: str) -> bool:
    """Return whether a URI is one that the output itself writes. Both are normalised."""
    inside = uri.removeprefix(storage.as_folder(out))
    return inside != uri and inside.split("/")[0] in _OWN_NAMES


def write_config(
    out: str, config: OutputConfig, confirm: Callable[[], None] = lambda: None
) -> None:
    """Write OUT/config.json over the one that is there, and over no newer one.

    `confirm` raises if OUT is another run's by now. Raise ConfigError if OUT cannot be written to.
    """
    try:
        write_guarded(_uri(out), config.model_dump_json(indent=2).encode() + b"\n", confirm)
    except StorageError as error:
        confirm()  # a lost lease is no wrong setting
        raise ConfigError(f"--out {out} cannot be written to: {error}") from None


def check_config(
    out: str,
    scoring: Scoring,
    reduction: Reduction,
    *,
    rescore: bool = False,
    hide_uris: bool = False,
) -> bool:
    """Return True if OUT has this configuration, False if it has none or `rescore` replaces it.

    Write nothing. Otherwise raise ConfigError, which says what differs and what to do.
    """
    return match_config(out, make_config(scoring, reduction, hide_uris), rescore=rescore)


def claim_output(
    out: str,
    scoring: Scoring,
    reduction: Reduction,
    *,
    rescore: bool = False,
    hide_uris: bool = False,
    learned_from: Sequence[LearnedFrom] = (),
    confirm: Callable[[], None] = lambda: None,
) -> None:
    """Write this configuration to OUT. Raise ConfigError if it has another, as `check_config` does.

    With `hide_uris`, only the last part of a model's path is written. `confirm` is called before
    anything is written, and raises if OUT has been taken over by another run.
    """
    if not check_config(out, scoring, reduction, rescore=rescore, hide_uris=hide_uris):
        if hide_uris:
            scoring = scoring.model_copy(update={"model": PurePosixPath(scoring.model).name})
        write_config(out, make_config(scoring, reduction, hide_uris, learned_from), confirm)
    else:
        add_learned_from(out, learned_from, confirm)


def add_learned_from(
    out: str, records: Sequence[LearnedFrom], confirm: Callable[[], None] = lambda: None
) -> None:
    """Note in config.json whose videos models know, where an earlier version did not."""
    found = read_config(out)
    if found is None or set(records) <= set(found.learned_from):
        return
    known = tuple(dict.fromkeys((*found.learned_from, *records)))
    write_config(out, found.model_copy(update={"learned_from": known}), confirm)


def match_config(out: str, wanted: OutputConfig, *, rescore: bool | None = None) -> bool:
    """Check any configuration, also an ensemble's, as `check_config` does.

    `rescore` is None for jobs that cannot rescore.
    """
    found = read_config(out)
    remedy = "choose another --out" + (
        "" if rescore is None else ", or replace them with --rescore"
    )
    if found is None:
        if not rescore and _has_rows(out):
            raise ConfigError(
                f"--out {out} holds rows but no config.json, so what scored them is not known: "
                f"bring it back from a copy, {remedy}"
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
            f"the rows in --out {out} were scored in another way "
            f"({_describe_difference(found, wanted)}): "
            f"{remedy}"
        )
    if found.reduction != wanted.reduction:
        # The calibration's fingerprint covers these.
        in_fingerprint = {"clip_scaling", "scaling", "members"}
        before, after = (c.reduction.model_dump(exclude=in_fingerprint) for c in (found, wanted))
        changes = _list_changes(before, after)
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


def _describe_difference(found: OutputConfig, wanted: OutputConfig) -> str:
    if found.scoring is None or wanted.scoring is None:
        return f"{found.describe()} → {wanted.describe()}"
    versions = _list_changes(
        {"scoring_version": found.scoring_version}, {"scoring_version": wanted.scoring_version}
    )
    changes = (versions, describe_changes(found.scoring, wanted.scoring))
    return ", ".join(filter(None, changes))


def describe_changes(found: Scoring, wanted: Scoring) -> str:
    """Return what differs between two scorings, as `name before → after, …`."""
    before, after = (
        scoring.model_dump(mode="json", exclude={"models"}) for scoring in (found, wanted)
    )
    if before["profile"]["name"] != after["profile"]["name"]:  # the names say enough
        before["profile"], after["profile"] = before["profile"]["name"], after["profile"]["name"]
    return _list_changes(before, after)


def _list_changes(before: dict[str, Any], after: dict[str, Any], within: str = "") -> str:
    """Return the settings that differ, as `name before → after, …`."""
    found = []
    for name in before:
        old, new = before[name], after[name]
        if isinstance(old, dict) and isinstance(new, dict):
            found.append(_list_changes(old, new, f"{within}{name}."))
        elif old != new:
            found.append(f"{within}{name} {_shorten(old)} → {_shorten(new)}")
    return ", ".join(filter(None, found))


def _shorten(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "…"
