"""Several models in one run: decoded once, scored by each, combined as if each had run alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from invented_calibration import calibration
from outputs import OF_THE_RUN, clips, verdicts
from safetensors.torch import load_file, save_file
from seeded import seeded_tiny

import ah_ray
from ah_ray.config import Ensemble, Reduction, score_settings
from ah_ray.errors import ConfigError
from ah_ray.output.config import read_config
from ah_ray.results.calibration import write_calibration
from ah_ray.results.reduce import reduce_outputs
from ah_ray.verdicts.reduction import Scaling

pytestmark = pytest.mark.heavy
ALIKE = OF_THE_RUN | {"config_fingerprint", "error"}
SETTINGS = {"profile": "tiny", "max_failed": 1.0, "device": "cpu"}


def score(**settings: object):
    return ah_ray.score(**SETTINGS, **settings)


def cohort_of(whole_cohort: Path) -> str:
    """Recordings that are good, broken in the middle, and no recordings at all."""
    return str(whole_cohort / "visit-03")


def other_tiny(folder: Path, name: str, change) -> str:
    """The seeded tiny model with changed weights: taught ones would all agree."""
    copy = folder / name
    shutil.copytree(seeded_tiny(), copy)
    weights = load_file(copy / "model.safetensors")
    save_file({key: change(key, tensor) for key, tensor in weights.items()},
              copy / "model.safetensors", {"format": "pt"})  # fmt: skip
    return str(copy)


def noisy(seed: int):
    generator = torch.Generator().manual_seed(seed)

    def change(_: str, tensor: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(tensor.shape, generator=generator) * tensor.float().std(correction=0)
        return (tensor.float() + 0.02 * noise).to(tensor.dtype)

    return change


def without_numbers(key: str, tensor: torch.Tensor) -> torch.Tensor:
    return torch.full_like(tensor, torch.nan) if "lm_head" in key else tensor


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("models")
    return [other_tiny(folder, f"model-{seed}", noisy(seed)) for seed in range(3)]


@pytest.fixture(scope="module")
def outputs(whole_cohort, models, ray_session, tmp_path_factory) -> Path:
    """alone-0, -1, -2: one model each; at-once: all of them in one run."""
    folder = tmp_path_factory.mktemp("outputs")
    for number, model in enumerate(models):
        score(videos=cohort_of(whole_cohort), out=str(folder / f"alone-{number}"), model=model)
    score(videos=cohort_of(whole_cohort), out=str(folder / "at-once"), model=models)
    return folder


@pytest.mark.parametrize("ensemble", Ensemble)
def test_the_same_as_one_after_another_and_then_reduced(outputs, tmp_path, ensemble):
    reduction = Reduction(ensemble=ensemble, reducer="topk2", threshold=0.45)
    alone = [str(outputs / f"alone-{number}") for number in range(3)]
    reduce_outputs(alone, str(tmp_path / "alone"), reduction=reduction)
    reduce_outputs([str(outputs / "at-once")], str(tmp_path / "at-once"), reduction=reduction)
    at_once, reduced = (verdicts(tmp_path / out, ALIKE) for out in ("at-once", "alone"))
    assert at_once == reduced
    assert clips(tmp_path / "at-once") == clips(tmp_path / "alone")
    assert all(len(clip["model_p_ah"]) == 3 for clip in clips(tmp_path / "at-once"))
    assert {row["model"] for row in at_once.values()} == {"model-0 + model-1 + model-2"}


def test_a_run_of_several_votes_by_itself(outputs, tmp_path):
    assert read_config(str(outputs / "at-once")).reduction == Reduction(ensemble=Ensemble.VOTE)
    votes = {clip["p_ah"] for clip in clips(outputs / "at-once")}
    assert len(votes - {0.0, 1.0, None}) > 0, "models that always agree would show nothing"
    alone = [str(outputs / f"alone-{number}") for number in range(3)]
    reduce_outputs(alone, str(tmp_path / "alone"), reduction=Reduction())
    assert verdicts(outputs / "at-once", ALIKE) == verdicts(tmp_path / "alone", ALIKE)
    assert clips(outputs / "at-once") == clips(tmp_path / "alone")


def test_what_follows_a_run_of_several(outputs, whole_cohort, models, tmp_path):
    settings = {"videos": cohort_of(whole_cohort), "out": str(outputs / "at-once")}
    assert score(**settings, model=models).videos_done == 0
    with pytest.raises(ConfigError, match=r"ensemble vote → mean.*jobs/reduce.py"):
        score(**settings, model=models, ensemble="mean")
    with pytest.raises(ConfigError, match=r"model-0 \+ model-1 \+ model-2 → model-0"):
        score(**settings, model=models[0])
    mean = str(tmp_path / "mean")
    reduce_outputs([settings["out"]], mean, reduction=Reduction(ensemble=Ensemble.MEAN))
    goes_on = {**settings, "out": mean, "ensemble": "mean"}
    assert score(**goes_on, model=models).videos_done == 0
    with pytest.raises(ConfigError, match="scores of several models itself: reduce it alone"):
        both = [settings["out"], str(outputs / "alone-0")]
        reduce_outputs(both, str(tmp_path / "x"), reduction=Reduction())


def test_a_model_that_fails_costs_the_others_nothing(outputs, whole_cohort, models, tmp_path):
    broken = other_tiny(tmp_path, "broken", without_numbers)
    out = str(tmp_path / "out")
    score(videos=cohort_of(whole_cohort), out=out, model=(models[0], broken))
    alone = verdicts(outputs / "alone-0")
    for video_id, row in verdicts(out).items():
        expected = alone[video_id]
        if expected["status"] == "failed":
            assert row["error_kind"] == expected["error_kind"]
            continue
        assert (row["status"], row["error_kind"]) == ("partial", "scoring")
        assert row["error"] == "model 2 of 2: the model gave no finite probability for this clip"
        assert row["answer"] == expected["answer"]
        assert row["n_failed_clips"] == expected["n_failed_clips"]
    assert all(clip["model_p_ah"][1] is None for clip in clips(out))


def test_the_same_model_twice_would_count_twice(whole_cohort, models, tmp_path):
    copy = shutil.copytree(models[0], tmp_path / "copy")
    settings = {"videos": cohort_of(whole_cohort), "out": str(tmp_path / "out")}
    with pytest.raises(ConfigError, match=r"model-0 and .*copy are the same model"):
        score(**settings, model=(models[0], str(copy)))


def test_settings_of_several(models):
    with pytest.raises(ConfigError, match=r"--adapter goes with one --model.*jobs/merge.py"):
        score_settings(videos="v", out="o", model=models, adapter=("a",))
    with pytest.raises(ConfigError, match="--ensemble combines several models"):
        score_settings(videos="v", out="o", model=models[0], ensemble="vote")


def test_calibrated_each_by_its_own(outputs, whole_cohort, models, tmp_path):
    """In one run as one after another; and of one model, its own."""
    files = []
    for number, slope in enumerate((0.5, 2.0, 1.0)):
        scored = read_config(str(outputs / f"alone-{number}")).scoring
        files.append(str(tmp_path / f"{number}.json"))
        write_calibration(files[-1], calibration(scored, scaling=Scaling(slope=slope)))
    settings = {"videos": cohort_of(whole_cohort), "ensemble": "mean", "threshold": 0.45}
    score(**settings, out=str(tmp_path / "at-once"), model=models, calibration=files)
    alone = [str(outputs / f"alone-{number}") for number in range(3)]
    mean = Reduction(ensemble=Ensemble.MEAN, threshold=0.45)
    reduce_outputs(alone, str(tmp_path / "alone"), reduction=mean, calibrations=files)
    again = str(tmp_path / "again")
    reduce_outputs([str(outputs / "at-once")], again, reduction=mean, calibrations=files)
    found = verdicts(tmp_path / "at-once", ALIKE)
    assert found == verdicts(tmp_path / "alone", ALIKE) == verdicts(again, ALIKE)
    assert clips(tmp_path / "at-once") == clips(tmp_path / "alone") == clips(again)
    assert len({row["calibration_fingerprint"] for row in found.values()}) == 1
    with pytest.raises(ConfigError, match="fitted to other scores than those of model model-1"):
        score(videos="v", out="o", model=models[1], calibration=files[0])
