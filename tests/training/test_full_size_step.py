"""A LoRA step at the released widths on tensors without memory: the CPU never waits for a value."""

import pytest
import torch
from labelled_clips import label_drawing, settings_of
from released import released_config
from tokenizers import Tokenizer
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration
from waits import Waits

from ah_ray.config import Arithmetic
from ah_ray.omni.inputs.staging import Stager
from ah_ray.omni.model import attention
from ah_ray.omni.model.loading import prepare_model
from ah_ray.profile import load_profile
from ah_ray.training.data.questions import Questions
from ah_ray.training.steps.lora import add_lora
from ah_ray.training.steps.packed_thinker import PackedThinker, compute_answer_losses
from ah_ray.training.steps.packs import add_labels, stage_pack


@pytest.mark.parametrize("n_layers", [4, pytest.param(48, marks=pytest.mark.heavy)])
def test_a_step(released_tokenizer, monkeypatch, n_layers):
    monkeypatch.setattr(attention, "_attend_per_segment", attention._run_torch_attention)
    config = released_config()
    config.text_config.num_hidden_layers = n_layers
    with torch.device("meta"):
        thinker = Qwen3OmniMoeThinkerForConditionalGeneration._from_config(
            config, dtype=torch.bfloat16
        )
        prepare_model(thinker, Arithmetic.BF16)
        add_lora(thinker, settings_of(method="lora"))
    thinker.activation_checkpointing_enable({"use_reentrant": False})
    model = PackedThinker(thinker, towers=False).train()
    questions = Questions(load_profile("seed"), released_tokenizer, 13)
    clips = [
        label_drawing(0, True, height_px=448, width_px=448),
        label_drawing(1, False, height_px=640, width_px=1152),
    ]
    stager = Stager(torch.device("meta"), torch.bfloat16)
    pack = stage_pack([add_labels(questions, clip) for clip in clips], stager, config)
    with Waits() as waits:
        loss = (compute_answer_losses(model, pack) * pack.weights).sum()
        loss.backward()
    assert waits.found == []
    assert waits.n_operations > 100 * n_layers
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert learned and all(parameter.grad is not None for parameter in learned)


@pytest.fixture(scope="session")
def released_tokenizer(request) -> Tokenizer:
    """The released tokenizer, cut down to what the prompt and the answers need."""
    goldens = request.config.rootpath / "tests" / "goldens"
    return Tokenizer.from_file(str(goldens / "tokenizer_subset.json"))
