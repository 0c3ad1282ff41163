"""An analysis that is planned before anybody looks at the test split, and every look at it.

    OUT/analysis/plan-<hash>.json   a plan, as it was locked: its content, and when
    OUT/analysis/look-<time>-….json one look at test: when, with which plan

The plan is written before a label of test is read. Figures of a plan that was locked before the
first look are confirmatory. Those of a later plan, or of another one than was locked first, are
exploratory, and say so. Looks are files of their own, so two at once are two.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.study.evaluation.answers.schema import SCALE, YES_NO, JudgedQuestion
from ah_ray.study.evaluation.schema import Analysis
from ah_ray.study.evaluation.settings import Threshold
from ah_ray.study.labelled_manifest import read_about
from ah_ray.study.source_files import read_source
from ah_ray.validation import FrozenModel, first_problem
from ah_ray.verdicts.reducers import parse_reducer

FOLDER = "analysis"
TEST_SPLITS = ("test", "all")
MEASURES = (
    *("accuracy", "macro_f1", "weighted_f1", "f1_ah", "f1_not_ah", "precision_ah", "recall_ah"),
    *("specificity", "npv", "balanced_accuracy", "auroc", "average_precision"),
    *("average_precision_1000", "rate_of_yes"),
)
"""What is measured of verdicts, and of a question with two answers."""
ANSWER_MEASURES = ("accuracy", "macro_f1")
SCALE_MEASURES = ("mean_absolute_error", "rank_correlation", "kappa")
"""What is measured of a question with several answers, and besides of one with a scale."""
_KNOWN_MEASURES = (*MEASURES, *SCALE_MEASURES)


class PlannedHypothesis(FrozenModel):
    """A sentence that the figures support or do not: a measure is above, or below, a limit."""

    text: str = Field(min_length=1)
    measure: str
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.measure not in _KNOWN_MEASURES:
            raise ValueError(
                f"the measure {self.measure!r} is unknown; there are {', '.join(_KNOWN_MEASURES)}"
            )
        if (self.above is None) == (self.below is None):
            raise ValueError("give `above` or `below`, one of them")
        return self

    @property
    def limit(self) -> float:
        return self.above if self.above is not None else self.below or 0.0


class Plan(FrozenModel):
    """A plan, as its YAML file says it."""

    split: Literal["test", "val", "train", "all"] = "test"
    question: str | None = Field(
        None, description="a question of the profile; null: the verdicts, of the first one"
    )
    reducer: str | None = Field(None, description="null: the output's own")
    threshold: Threshold | float = Field(
        Threshold.FIXED, description="fixed: the output's own; macro-f1, base-rate: fitted on val"
    )
    measures: tuple[str, ...] = Field(("macro_f1",), min_length=1)
    groups: tuple[str, ...] = ()
    hypotheses: tuple[PlannedHypothesis, ...] = ()

    @field_validator("reducer")
    @classmethod
    def _known_reducer(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_reducer(value)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return value

    @field_validator("threshold")
    @classmethod
    def _probability(cls, value: Threshold | float) -> Threshold | float:
        if not isinstance(value, Threshold) and not 0 <= value <= 1:
            raise ValueError("give fixed, macro-f1, base-rate, or a probability from 0 to 1")
        return value

    @field_validator("measures")
    @classmethod
    def _known_measures(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in value if name not in _KNOWN_MEASURES]:
            raise ValueError(f"{unknown[0]!r} is unknown; there are {', '.join(_KNOWN_MEASURES)}")
        return value

    @property
    def fingerprint(self) -> str:
        """Return 16 hex digits of what the plan says, however its file is laid out."""
        fields = self.model_dump(mode="json")
        if self.question is None:  # as it was before plans could name one
            fields.pop("question")
        text = json.dumps(fields, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_plan(plan: Plan, question: JudgedQuestion | None) -> None:
    """Raise ConfigError if a plan asks for what is not measured of this kind of question."""
    several = question is not None and question.kind != YES_NO
    measures = MEASURES
    if several:
        has_scale = question is not None and question.kind == SCALE
        measures = (*ANSWER_MEASURES, *(SCALE_MEASURES if has_scale else ()))
    about = "verdicts" if question is None else f"the question {question.name}"
    for name in (*plan.measures, *(one.measure for one in plan.hypotheses)):
        if name not in measures:
            raise ConfigError(
                f"--plan: {name} is no measure of {about}; there are {', '.join(measures)}"
            )
    set_fields = {"reducer", "threshold", "groups"} & plan.model_fields_set
    if several and set_fields:
        raise ConfigError(
            f"--plan: {about} has several answers, so leave out {', '.join(sorted(set_fields))}: "
            "the likeliest answer counts, and groups are not planned"
        )


def read_plan(uri: str) -> Plan:
    """Return a plan from YAML. Raise ConfigError that names what is wrong in it."""
    try:
        fields = yaml.safe_load(read_source(storage.normalise(uri)))
    except StorageError as error:
        raise ConfigError(f"--plan {uri} cannot be read: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"--plan {uri} is not YAML: {error}") from None
    if not isinstance(fields, dict):
        raise ConfigError(
            f"--plan {uri} has no fields: write `split: test`, `measures: [macro_f1]`"
        )
    try:
        return Plan(**{str(name): value for name, value in fields.items()})
    except ValidationError as error:
        raise ConfigError(f"--plan {uri}: {first_problem(error)}") from None


def open_split(
    outs: Sequence[str],
    labels: str,
    split: str,
    plan: Plan | None,
    question: str | None = None,
) -> Analysis:
    """Lock the plan, then count a look at the split; call it before any label is read.

    A plan belongs to outputs, labels and a question (None: the first one): with other scores, other
    labels or another question it is a new one, and looks are counted for each question. A look
    is counted in every output, and the highest count is reported. Where an output
    cannot be written to, the look is not counted, and nothing can be locked.
    """
    about = {"data": str(read_about(labels)["data_fingerprint"])}
    if question is not None:  # those of verdicts have none, as before there were others
        about["question"] = question
    places = [storage.join(storage.normalise(out), FOLDER) for out in outs]
    if split not in TEST_SPLITS:
        return _analysis(plan, reason=None, locked=None, look=None, before=None)
    try:
        earlier = [_records(place, about) for place in places]
        locked = None if plan is None else _lock(places, earlier, plan, about)
        look = max(1 + len(each["look"]) for each in earlier)
        for place in places:
            content = {"split": split, "plan": plan and plan.fingerprint}
            _write(place, "look", about | content)
    except StorageError as error:
        if plan is not None:
            raise ConfigError(
                f"--plan: nothing can be locked, since the output cannot be written to: {error}"
            ) from None
        return _analysis(None, reason=None, locked=None, look=None, before=None)
    if plan is None or locked is None:
        return _analysis(plan, reason=None, locked=None, look=look, before=None)
    before = max(sum(one["at"] < locked["at"] for one in each["look"]) for each in earlier)
    return _analysis(plan, reason=_reason(locked, before), locked=locked, look=look, before=before)


def _reason(locked: dict[str, Any], before: int) -> str | None:
    if locked["first"] is not None:
        return f"another plan ({locked['first']}) was locked first"
    if before:
        times = "once" if before == 1 else f"{before} times"
        return f"test had been looked at {times} before the plan was locked"
    return None


def _analysis(
    plan: Plan | None,
    *,
    reason: str | None,
    locked: dict[str, Any] | None,
    look: int | None,
    before: int | None,
) -> Analysis:
    kind = "unplanned"
    if plan is not None and locked is not None:
        kind = "exploratory" if reason else "locked"
    elif plan is not None:
        kind, reason = "exploratory", "the plan is not about test, so nothing was locked"
    return Analysis(
        kind=kind,
        reason=reason,
        plan_hash=None if plan is None else plan.fingerprint,
        locked_at=locked["at"] if locked else None,
        look=look,
        looks_before_plan=before,
    )


def _lock(
    places: Sequence[str],
    earlier: Sequence[dict[str, list[dict[str, Any]]]],
    plan: Plan,
    about: dict[str, str],
) -> dict[str, Any]:
    """Return when this plan was locked, and the plan that was locked before it, if any."""
    found: dict[str, Any] = {"at": "", "first": None}
    for place, records in zip(places, earlier, strict=True):
        plans = sorted(records["plan"], key=lambda one: one["at"])
        ours = next((one for one in plans if one["plan"] == plan.fingerprint), None)
        if ours is None:
            content = {"plan": plan.fingerprint, "says": plan.model_dump(mode="json")}
            ours = _write(place, "plan", about | content)
        if plans and plans[0]["plan"] != plan.fingerprint:
            found["first"] = plans[0]["plan"]
        found["at"] = max(found["at"], ours["at"])
    return found


def _records(place: str, about: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Return the plans and looks of these labels and this question that a folder holds."""
    found: dict[str, list[dict[str, Any]]] = {"plan": [], "look": []}
    try:
        entries = [entry for page in storage.list_pages(storage.as_folder(place)) for entry in page]
    except ObjectMissing:
        return found
    for entry in entries:
        kind = entry.key.rpartition("/")[2].partition("-")[0]
        if kind not in found or not entry.key.endswith(".json"):
            continue
        try:
            one = json.loads(storage.read_bytes(entry.uri))
            if one["data"] == about["data"] and one.get("question") == about.get("question"):
                found[kind].append({"at": str(one["at"]), "plan": one["plan"]})
        except (ValueError, TypeError, KeyError):
            raise ConfigError(f"{entry.uri} is damaged: restore it from a copy") from None
    return found


def _write(place: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    content = {**content, "at": at}
    stem = content["plan"] if kind == "plan" else at.replace(":", "-").replace("+", "-")
    name = f"{kind}-{stem}-{secrets.token_hex(3)}.json"
    storage.write_whole(storage.join(place, name), json.dumps(content, indent=2).encode() + b"\n")
    return content
