"""A pass at the released widths, on tensors without memory: torch checks every kernel's types,
shapes and strides as a GPU would, and no value is ever computed. Nor may the CPU ask for one:
between staging and answers it would have to wait for the GPU."""

import pytest
import torch
from drawn_clips import draw_clip
from released import released_config
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration
from waits import Waits

from ah_ray.config import Arithmetic
from ah_ray.omni.answer import compute_answers
from ah_ray.omni.inputs.audio import count_mel_frames
from ah_ray.omni.inputs.layout import lay_out_clip, lay_out_pack
from ah_ray.omni.inputs.vision import compute_patch_grid
from ah_ray.omni.model import attention
from ah_ray.omni.model.experts import KernelExperts, run_by_torch
from ah_ray.omni.model.loading import prepare_model
from ah_ray.omni.model.thinker import Thinker
from ah_ray.omni.questionnaire import build_questionnaire
from ah_ray.profile import Question, Sees, load_profile

FURTHER = (
    Question(name="smile", text=" content. Yes or No?", sees=Sees.PICTURE),
    Question(name="voice", text=" content. Yes or No?", sees=Sees.SOUND),
)

EVERY_PRODUCT = pytest.param(Arithmetic.FP8_VISION, marks=pytest.mark.heavy)
ALL_LAYERS = pytest.param(48, marks=pytest.mark.heavy)


def make_way(way: str, monkeypatch):
    """Each way of the experts. Our kernels get their tensors, and are not started."""
    if way == "by torch":
        return run_by_torch
    pytest.importorskip("triton", reason="Triton comes with `pip install -e .[test]`")
    from ah_ray.omni.kernels import experts

    monkeypatch.setattr(experts, "launch", lambda *_, **__: None)
    return KernelExperts({})


@pytest.mark.parametrize(
    ("further", "way"),
    [((), "by torch"), ((), "by our kernel"), (FURTHER, "by torch")],
    ids=["one question", "our kernel", "three questions"],
)
@pytest.mark.parametrize("n_layers", [6, ALL_LAYERS])
@pytest.mark.parametrize("arithmetic", [Arithmetic.BF16, Arithmetic.FP8, EVERY_PRODUCT])
def test_a_pass(released_tokenizer, monkeypatch, arithmetic, n_layers, further, way):
    kernel = attention._run_torch_attention  # the one that GPUs use
    monkeypatch.setattr(attention, "_attend_per_segment", kernel)
    config = released_config()
    config.text_config.num_hidden_layers = n_layers  # all alike
    with torch.device("meta"):
        model = Qwen3OmniMoeThinkerForConditionalGeneration._from_config(
            config, dtype=torch.bfloat16
        )
        thinker = Thinker(prepare_model(model, arithmetic), make_way(way, monkeypatch))
    clips = [
        draw_clip(0, height_px=448, width_px=448),
        draw_clip(1, n_frames=4, height_px=640, width_px=1152, seconds=0.6),
    ]
    profile = load_profile("seed")
    if further:
        profile = profile.model_copy(update={"questions": (*profile.complete_questions, *further)})
    questionnaire = build_questionnaire(profile, released_tokenizer)
    tree = questionnaire.tree
    layouts = [
        lay_out_clip(
            tree,
            compute_patch_grid(clip.frames.shape),
            count_mel_frames(len(clip.samples)),
            2,
            13,
        )
        for clip in clips
    ]
    pack = lay_out_pack(layouts, thinker.config)
    staged = thinker.stage([clip.frames for clip in clips], [clip.samples for clip in clips], pack)
    inputs = staged.wait()
    assert inputs.rows.device.type == "meta" and inputs.rows.dtype == torch.bfloat16
    with Waits() as waits:
        found = thinker.compute_log_probabilities(inputs)
        log_p = found.unflatten(0, (2, -1))
        p, mass = compute_answers(questionnaire.questions[-1], log_p)
    assert waits.found == [] and waits.n_operations > 20 * n_layers
    assert (p.shape, mass.shape) == ((2, 2), (2,))
    assert (found.shape, found.dtype) == ((2 * len(tree.picks),), torch.float32)
