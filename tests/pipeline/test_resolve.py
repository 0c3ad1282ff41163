"""What a replica asks of Ray, and the mistakes that are found before one starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ah_ray import cluster
from ah_ray.cohort import Cohort, Ignored, Plan
from ah_ray.config import Arithmetic, score_settings
from ah_ray.errors import ConfigError
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.pipeline.graph import Pools
from ah_ray.pipeline.reporting.plan_view import Experience, plan_lines
from ah_ray.pipeline.resolve import Resolved, resolve
from ah_ray.pipeline.stages import clip_bytes, stages_of
from ah_ray.profile import load_profile

SWIFT = Path(__file__).parents[1] / "goldens/swift"


@pytest.fixture
def gpus(monkeypatch):
    """A machine outside any cluster, with so many GPUs."""
    monkeypatch.setattr(cluster, "on_cluster", lambda: False)

    def there(n: int) -> None:
        monkeypatch.setattr(cluster, "local_gpus", lambda: n)

    return there


def resolved(**settings: object) -> Resolved:
    return resolve(score_settings(videos="v", out="o", model="tiny", **settings))


def devices(found: Resolved) -> tuple[str, ...]:
    pools = Pools(
        min_decoders=1,
        max_decoders=1,
        min_replicas=1,
        max_replicas=1,
        replica_cpus=1,
        replica_gpus=found.gpus_per_replica,
        clips_per_batch=8,
    )
    return stages_of(found, pools, commit=dict).replicas[0].devices


def test_what_is_settled_where_nothing_is_said(gpus, tmp_path):
    """Tiny at its own small size on a CPU; a model without a record as published, on a GPU."""
    gpus(1)
    scoring = resolved().scoring
    assert (scoring.profile.name, scoring.arithmetic) == ("tiny", Arithmetic.FLOAT32)
    other = {"videos": "v", "out": "o"}
    other["model"] = str(shutil.copytree(find_checkpoint("tiny"), tmp_path / "other"))
    (tmp_path / "other" / "training.json").unlink()
    on_gpu = resolve(score_settings(**other))
    assert (on_gpu.gpus_per_replica, on_gpu.scoring.profile.name) == (1, "seed")
    assert on_gpu.scoring.arithmetic is Arithmetic.BF16
    gpus(0)
    on_cpu = resolve(score_settings(**other))
    assert (on_cpu.gpus_per_replica, on_cpu.scoring.arithmetic) == (0, Arithmetic.FLOAT32)
    assert on_cpu.scoring.fingerprint != on_gpu.scoring.fingerprint


def test_the_record_beside_an_adapter_chooses_the_profile_and_is_reported(gpus, tmp_path):
    gpus(0)
    adapter = str(SWIFT / "lora_swift460")
    found = resolved(adapter=adapter, any_base=True)
    assert found.scoring.profile == load_profile("swift-4.6")
    said = "args.json of lora_swift460 says ms-swift 4.6.0"
    assert found.profile_reason == said
    nothing = Plan(cohort=Cohort(source="v", ignored=Ignored(), batches=()))
    assert f"Profile     {said}" in plan_lines(found, nothing, Experience())
    with pytest.raises(ConfigError, match=r"which is profile swift-4\.6 .*--profile-anyway"):
        resolved(adapter=adapter, profile="seed", any_base=True)
    anyway = resolved(adapter=adapter, profile="seed", profile_anyway=True, any_base=True)
    assert (anyway.scoring.profile.name, anyway.profile_reason) == ("seed", "")
    assert anyway.scoring.fingerprint != found.scoring.fingerprint


def test_the_bytes_of_a_clip_follow_what_the_profile_shows(gpus):
    gpus(0)
    of = {name: clip_bytes(resolved(profile=name)) for name in ("seed", "seed-32", "seed-448")}
    sound = 5 * 16_000 * 4
    assert of["seed-32"] == 10 * 786_432 * 3 + sound
    assert of["seed-448"] <= 10 * 448 * 448 * 3 + sound
    assert of["seed-448"] < of["seed"] < of["seed-32"]


def test_a_replica_runs_on_the_gpus_that_it_asks_for(gpus):
    gpus(4)
    assert devices(resolved()) == ("cpu",)  # tiny stays there
    assert devices(resolved(device="gpu")) == ("cuda:0",)
    split = resolved(device="gpu", gpus_per_replica=4)
    assert (split.gpus_per_replica, devices(split)) == (4, ("cuda:0", "cuda:1", "cuda:2", "cuda:3"))


def test_how_a_model_lies_on_cards_does_not_change_what_an_output_holds(gpus):
    gpus(4)
    one, four = (resolved(device="gpu", gpus_per_replica=n) for n in (1, 4))
    assert one.scoring.fingerprint == four.scoring.fingerprint


def test_more_gpus_than_there_are_is_an_error_not_a_wait(gpus):
    gpus(2)
    with pytest.raises(ConfigError, match=r"asks for: 4; that this machine has: 2"):
        resolved(device="gpu", gpus_per_replica=4)
    gpus(0)
    with pytest.raises(ConfigError, match=r"asks for: 1; that this machine has: 0"):
        resolved(device="gpu")


def test_a_cluster_may_have_scaled_its_gpus_down_to_none(gpus, monkeypatch):
    gpus(0)
    monkeypatch.setattr(cluster, "on_cluster", lambda: True)
    assert resolved(device="gpu", gpus_per_replica=2).gpus_per_replica == 2


def test_gpus_per_replica_without_a_gpu_to_use(gpus):
    gpus(4)
    with pytest.raises(ConfigError, match="--gpus-per-replica: this run would use no GPU"):
        resolved(gpus_per_replica=2)


def test_fewer_gpus_than_models(gpus, tmp_path):
    gpus(2)
    several = {"videos": "v", "out": "o", "model": ("a", "b", "c"), "device": "gpu"}
    words = r"3 models at once ask for 3 GPUs, and this machine has 2: .* one --model.*reduce.py"
    with pytest.raises(ConfigError, match=words):
        resolve(score_settings(**several))
    gpus(4)
    with pytest.raises(
        ConfigError, match="3 models at once ask for 6 GPUs, and this machine has 4"
    ):
        resolve(score_settings(**several, gpus_per_replica=2))


def test_a_reducer_of_a_question_that_does_not_exist(gpus, tmp_path):
    gpus(0)
    path = tmp_path / "mine.yaml"
    asked = "{ah: , smile: {text: ' Is it a smile?', reducer: REDUCER}}"
    path.write_text(f"extends: tiny\nquestions: {asked}\n")
    with pytest.raises(ConfigError, match=r"questions.smile: there is no reducer REDUCER; .*mean"):
        resolved(profile=str(path))
    path.write_text(f"extends: tiny\nquestions: {asked.replace('REDUCER', 'topk2')}\n")
    names = [one.name for one in resolved(profile=str(path)).scoring.profile.complete_questions]
    assert names == ["ah", "smile"]


def test_some_questions_of_a_profile_are_asked(gpus):
    gpus(0)

    def list_questions(*names: str) -> list[str]:
        profile = resolved(profile="tiny-why", ask=names).scoring.profile
        return [question.name for question in profile.complete_questions]

    assert list_questions() == ["ah", "face", "voice"]
    assert list_questions("voice") == ["ah", "voice"]
    assert list_questions("ah") == ["ah"]
    with pytest.raises(ConfigError, match="--ask: profile tiny-why has no question mood: ah, face"):
        list_questions("mood")
