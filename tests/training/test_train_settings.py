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
    of_grpo = {"group", "temperature", "kl", "clip_low", "clip_high", "reward_form"}
    of_grpo |= {"answer_tokens", "as_published"}
    unset = {"ask", "modality_dropout"}  # trainings from before they existed can be continued
    assert idle == {
        Method.LORA: of_grpo | unset | {"train_towers", "offload"},
        Method.FULL: low_rank | of_grpo | unset,
        Method.GRPO: unset | {"train_towers", "offload"},
    }
    assert not train_settings(**NEEDED, ask="face", modality_dropout=0.1).idle & unset


@pytest.mark.parametrize(
    ("method", "rate"), [("lora", 1e-5), ("full", 1e-5), ("grpo", 1e-6)]
)  # as published
def test_the_published_rate_unless_named(method, rate):
    assert train_settings(**NEEDED, method=method).rate == rate
    assert train_settings(**NEEDED, method=method, learning_rate=0.5).rate == 0.5


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("lora", {"epochs": 1, "batch": 64, "lora_rank": 8, "lora_alpha": 32.0}),
        ("full", {"epochs": 3, "batch": 64, "train_towers": False}),
        ("grpo", {"group": 2, "kl": 0.001, "temperature": 1.0, "clip_low": 0.2, "clip_high": 0.28,
                  "reward_form": "think", "warmup": 0.0, "batch": 32}),
    ],
)  # fmt: skip
def test_as_published(method, expected):
    """The scripts' own flags; what is given besides wins, 0 included."""
    settings = train_settings(**NEEDED, method=method, as_published=True)
    assert {name: getattr(settings, name) for name in expected} == expected
    if method != "full":
        linear = (settings.lora_layers, settings.lora_experts, settings.lora_router)
        assert linear == ("all", True, True)
    given = train_settings(**NEEDED, method=method, as_published=True, kl=0, batch=7, warmup=0)
    assert (given.kl, given.batch, given.warmup) == (0, 7, 0)
    assert train_settings(**NEEDED, method=method, as_published=False) == train_settings(
        **NEEDED, method=method
    )


def test_as_published_of_no_method_is_reported():
    with pytest.raises(ConfigError, match="--method"):
        train_settings(**NEEDED, method="sft", as_published=True)


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
def test_what_does_not_go_together_is_reported(values, told):
    with pytest.raises(ConfigError, match=told):
        train_settings(**NEEDED, **values)
