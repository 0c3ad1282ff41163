"""Decisions that have one home: frozen settings, and how failed clips are made."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

import ah_ray
from ah_ray.errors import ErrorKind
from ah_ray.output.config import OutputConfig
from ah_ray.output.runs import RunSummary
from ah_ray.profile import Profile
from ah_ray.records import Clip, failed_clip, failed_score
from ah_ray.results.calibration import Calibration
from ah_ray.validation import FrozenModel
from ah_ray.verdicts.reduction import Reduction

PACKAGE = Path(ah_ray.__file__).parent


def calls(name: str) -> list[tuple[Path, ast.Call]]:
    """Return every call of a function or class of this name in the package."""
    return [
        (path.relative_to(PACKAGE), node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def _is_version(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "version"


def test_only_one_class_says_that_settings_are_frozen():
    found = [
        path
        for path, call in calls("ConfigDict")
        if any(keyword.arg == "frozen" for keyword in call.keywords)
    ]
    assert found == [Path("validation.py")]


@pytest.mark.parametrize("model", [OutputConfig, RunSummary, Profile, Reduction, Calibration])
def test_settings_share_the_frozen_base(model):
    assert issubclass(model, FrozenModel)


def test_frozen_settings_do_not_change_and_know_their_names():
    reduction = Reduction()
    with pytest.raises(ValidationError):
        reduction.threshold = 0.1
    with pytest.raises(ValidationError):
        Reduction(no_setting=0.1)


def test_only_one_module_asks_for_the_version_of_the_package():
    """Another distribution of the same files has another name."""
    found = {
        path
        for path, _ in calls("version")
        for node in ast.walk(ast.parse((PACKAGE / path).read_text()))
        for name in getattr(node, "elts", getattr(node, "args", ()) if _is_version(node) else ())
        if isinstance(name, ast.Constant) and name.value in ("ah_ray", "ah-ray")
    }
    assert found <= {Path("installation/__init__.py")}


@pytest.mark.parametrize("record", ["Clip", "ClipScore"])
def test_failed_clips_are_made_in_one_place(record):
    """Copies of clips that failed before are no exception: an Arrow table, and several models."""
    found = {
        str(path)
        for path, call in calls(record)
        if any(keyword.arg in ("error_kind", "error") for keyword in call.keywords)
    }
    assert found <= {"records.py", "clip_tables.py"}


def test_a_failed_clip_gives_its_reason_to_its_score():
    clip = failed_clip(3, 15.0, 20.0, ErrorKind.DECODE, "it is damaged")
    score = failed_score(clip)
    assert (score.clip_index, score.start_s, score.end_s) == (3, 15.0, 20.0)
    assert (score.p_ah, score.error_kind, score.error) == (None, ErrorKind.DECODE, "it is damaged")
    assert score.n_frames == 0


def test_a_clip_that_was_decoded_fails_with_the_reason_of_its_model():
    clip = Clip(
        clip_index=0,
        start_s=0.0,
        end_s=5.0,
        frames=np.zeros((10, 32, 32, 3), np.uint8),
        samples=np.zeros(80_000, np.float32),
    )
    score = failed_score(clip, ErrorKind.SCORING, "no finite number", score_s=0.5)
    assert (score.error_kind, score.error) == (ErrorKind.SCORING, "no finite number")
    assert (score.n_frames, score.score_s) == (10, 0.5)
