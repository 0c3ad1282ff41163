"""What may be set, and what a method makes of it."""

from __future__ import annotations

import pytest

from ah_ray.errors import ConfigError
from ah_ray.training.settings import Method, TrainSettings, train_settings

NEEDED = {"labels": "l", "model": "m", "out": "o"}


def test_what_a_method_does_not_look_at_is_no_part_of_it():
    """Another value of it neither makes another training, nor stands in the card."""
    idle = {method: train_settings(**NEEDED, method=method.value).idle for method in Method}
    low_rank = {name for name in TrainSettings.model_fields if name.startswith("lora_")}
    assert len(low_rank) == 6
    assert idle == {
        Method.LORA: {"group", "temperature", "kl", "train_towers", "offload"},
        Method.FULL: low_rank | {"group", "temperature", "kl"},
        Method.GRPO: {"train_towers", "offload"},
    }


@pytest.mark.parametrize(
    ("method", "rate"), [("lora", 1e-5), ("full", 1e-5), ("grpo", 1e-6)]
)  # as published
def test_the_published_rate_unless_named(method, rate):
    assert train_settings(**NEEDED, method=method).rate == rate
    assert train_settings(**NEEDED, method=method, learning_rate=0.5).rate == 0.5


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"method": "lora", "train_towers": True}, "--train-towers goes with --method full"),
        ({"method": "grpo", "offload": True}, "--offload goes with --method full"),
        ({"arithmetic": "fp8"}, "train in bf16 or float32"),
        ({"lora_experts": True}, "give --lora-dropout 0"),
        ({"batch": 0}, "--batch"),
    ],
)
def test_what_does_not_go_together_is_told(values, told):
    with pytest.raises(ConfigError, match=told):
        train_settings(**NEEDED, **values)
