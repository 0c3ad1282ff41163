"""Sizes, memory and hours of the released model, by hand: see the closing sums in each test."""

import pytest
from labelled_clips import settings_of
from released import released_config

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.profile import load_profile
from ah_ray.training import plan


@pytest.fixture(scope="module")
def config():
    return released_config()


def needed(config, settings, **values):
    found = plan.count_parameters(config, settings)
    given = {
        "arithmetic": Arithmetic.BF16,
        "workers": 1,
        "token_budget": 16_384,
        "checkpointing": True,
    }
    return found, plan.estimate_memory(config, found, settings, **{**given, **values})


def test_lora_fits_one_80_gb_gpu(config):
    settings = settings_of(method="lora")
    found, memory = needed(config, settings)
    assert found.parameters == pytest.approx(31.7e9, rel=0.01)
    # 48 layers of q (2048 → 4096), k and v (2048 → 512), o (4096 → 2048), rank 8
    assert found.trained == 48 * 8 * ((2048 + 4096) + 2 * (2048 + 512) + (4096 + 2048))
    assert memory.weights == pytest.approx(63.4e9 + 4 * found.trained, rel=0.01)
    assert memory.total < 0.92 * 80e9
    plan.check_fits(memory, settings, gpu_bytes=80e9, workers=1)


def test_experts_are_most_of_what_may_learn(config):
    found = plan.count_parameters(config, settings_of(lora_experts=True, lora_dropout=0))
    gate_up, down = 128 * 8 * (2048 + 1536), 128 * 8 * (768 + 2048)
    attention = plan.count_parameters(config, settings_of()).trained
    assert found.trained - attention == 48 * (gate_up + down)


def test_full_is_shared_out(config):
    settings = settings_of(method="full")
    found, alone = needed(config, settings, workers=1)
    _, shared = needed(config, settings, workers=8)
    assert found.trained == pytest.approx(30.5e9, rel=0.01)  # the towers are frozen
    layer = alone.weights - 4 * found.parameters
    assert shared.weights - layer == pytest.approx((alone.weights - layer) / 8)
    assert shared.moments == pytest.approx(8 * found.trained / 8)
    with pytest.raises(ConfigError, match=r"498 GB|5\d\d GB.*--workers \d+ or --offload"):
        plan.check_fits(alone, settings, gpu_bytes=80e9, workers=1)


def test_what_is_proposed_fits(config):
    settings = settings_of(method="full")
    _, memory = needed(config, settings, workers=2)
    with pytest.raises(ConfigError) as told:
        plan.check_fits(memory, settings, gpu_bytes=80e9, workers=2)
    workers = int(str(told.value).partition("--workers ")[2].split()[0])
    _, enough = needed(config, settings, workers=workers)
    plan.check_fits(enough, settings, gpu_bytes=80e9, workers=workers)
    _, few = needed(config, settings, workers=workers - 2)
    with pytest.raises(ConfigError):
        plan.check_fits(few, settings, gpu_bytes=80e9, workers=workers - 2)


def test_offload_keeps_only_layers_on_the_gpu(config):
    settings = settings_of(method="full", offload=True)
    _, memory = needed(config, settings)
    assert memory.moments == memory.gradients == 0
    plan.check_fits(memory, settings, gpu_bytes=80e9, workers=1)


def test_hours_count_the_passes(config):
    def of(method, **values):
        given = {"seconds": 5000.0, "n_windows": 1000, "workers": 1, "checkpointing": False}
        profile = load_profile("seed-448")
        return plan.estimate_hours(
            config, profile, settings_of(method=method), **{**given, **values}
        )

    once = 1000 * 10.6e12 / (plan.GPU_FLOPS * plan.SHARE_OF_PEAK) / 3600
    assert of("lora") == pytest.approx(2 * once, rel=0.02)
    assert of("full") == pytest.approx(3 * once, rel=0.02)
    assert of("full", checkpointing=True) == pytest.approx(4 * once, rel=0.02)
    assert of("lora", workers=4) == pytest.approx(of("lora") / 4)
    assert of("grpo") > of("lora")
