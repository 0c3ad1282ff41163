"""What a training leaves behind is scored as it was trained."""

import json

import pytest
import torch
from labelled_clips import CPU, settings_of
from safetensors.torch import load_file, save_file

from ah_ray.config import Arithmetic
from ah_ray.omni.merged_checkpoint import write_merged_checkpoint
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint, fingerprint
from ah_ray.training.export import export_model
from ah_ray.training.model_card import PURPOSE
from ah_ray.training.steps.learner import load_learner
from ah_ray.training.steps.supervised import SupervisedStep
from ah_ray.training.validation import Validator

ABOUT = {
    "purpose": PURPOSE,
    "base": {"name": "tiny", "fingerprint": "0" * 16},
    "labels": {
        "fingerprint": "1" * 16, "train_windows": 4, "train_participants": 2, "val_windows": 0,
    },
    "settings": {"method": "lora", "profile": "tiny", "longest_window_s": 5.0},
    "steps": 3,
    "best": {"step": 3, "measures": {"macro_f1": 0.75, "loss": None}},
    "versions": {"torch": "2"},
}  # fmt: skip


def taught(ours, questions, stager, clips):
    """A few steps, large enough that every score moves."""
    optimiser = torch.optim.AdamW(ours.parameters, lr=3e-2)
    step = SupervisedStep(ours, questions, stager, token_budget=4096, balance=0.0)
    for number in range(3):
        step.add_gradients(clips, number)
        optimiser.step()
        optimiser.zero_grad()
    return Validator(ours, questions, stager, token_budget=4096).compute_probabilities(clips)


def scored(model, profile, clips, adapters=()):
    scorer = OmniScorer.load(
        model, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu", adapters=adapters
    )
    return [score.p_ah for score in scorer.score([clip.clip for clip in clips])]


@pytest.mark.parametrize(
    "what",
    [{}, {"lora_layers": "attention", "lora_rank": 2}, {"lora_experts": True, "lora_router": True}],
)
def test_adapter_merged_scores_as_it_was_trained(
    learner, questions, stager, clips, tiny, profile, tmp_path, what
):
    # The base in float32, so that nothing is rounded on the way.
    base = tmp_path / "base"
    base.mkdir()
    for path in tiny.iterdir():
        (base / path.name).write_bytes(path.read_bytes())
    weights = {n: t.float() for n, t in load_file(tiny / "model.safetensors").items()}
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    settings = settings_of(lora_dropout=0, **what)
    ours = load_learner(settings, base, Arithmetic.FLOAT32, CPU)
    ours.model.train()
    before = scored(base, profile, clips)
    ours.model.eval()
    p_ah = taught(ours, questions, stager, clips)
    assert max(abs(a - b) for a, b in zip(before, p_ah, strict=True)) > 0.01
    assert export_model(ours, base, "tiny", str(tmp_path), ABOUT) == "adapter"
    adapter = tmp_path / "adapter"
    assert scored(base, profile, clips, [adapter]) == pytest.approx(p_ah, abs=1e-5)
    write_merged_checkpoint(base, [adapter], tmp_path / "merged")
    assert scored(tmp_path / "merged", profile, clips) == pytest.approx(p_ah, abs=1e-5)


def test_adapter_holds_no_path(learner, tiny, tmp_path):
    export_model(learner(), tiny, "tiny", str(tmp_path), ABOUT)
    files = sorted(path.name for path in (tmp_path / "adapter").iterdir())
    assert files == [
        "MODEL_CARD.md", "adapter_config.json", "adapter_model.safetensors", "training.json",
    ]  # fmt: skip
    config = (tmp_path / "adapter" / "adapter_config.json").read_text()
    assert json.loads(config)["base_model_name_or_path"] == "tiny"
    assert str(tiny) not in config and str(tmp_path) not in config


def test_full_model_is_loaded_as_it_was_trained(
    learner, questions, stager, clips, tiny, profile, tmp_path
):
    ours = learner(method="full", train_towers=True)
    taught(ours, questions, stager, clips)
    with torch.no_grad():  # it is stored in bf16
        for parameter in ours.parameters:
            parameter.copy_(parameter.to(torch.bfloat16).float())
    p_ah = Validator(ours, questions, stager, token_budget=4096).compute_probabilities(clips)
    assert export_model(ours, tiny, "tiny", str(tmp_path), ABOUT) == "model"
    model = find_checkpoint(str(tmp_path / "model"))
    assert scored(model, profile, clips) == pytest.approx(p_ah, abs=1e-5)
    assert fingerprint(model) != fingerprint(tiny)
    before, after = (load_file(m / "model.safetensors") for m in (tiny, model))
    assert {n: (t.shape, t.dtype) for n, t in before.items()} == {
        n: (t.shape, t.dtype) for n, t in after.items()
    }


def test_large_models_come_in_several_files(learner, tiny, profile, clips, tmp_path, monkeypatch):
    monkeypatch.setattr("ah_ray.training.export._SHARD_BYTES", 500_000)
    export_model(learner(method="full"), tiny, "tiny", str(tmp_path), ABOUT)
    files = [path.name for path in (tmp_path / "model").glob("*.safetensors")]
    assert len(files) > 3
    assert scored(tmp_path / "model", profile, clips) == scored(tiny, profile, clips)


def test_card(learner, tiny, tmp_path):
    export_model(learner(), tiny, "tiny", str(tmp_path), ABOUT)
    card = (tmp_path / "adapter" / "MODEL_CARD.md").read_text()
    assert "not a diagnosis" in card
    assert "| macro_f1 | 0.7500 |" in card
    assert "4 windows of 2 participants" in card
