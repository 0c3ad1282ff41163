"""Training from the first question's labels is, to the last bit, what it was before there were
others: the step below is the one from when a clip was one line of tokens."""

from dataclasses import replace

import pytest
import torch
from labelled_clips import CPU
from torch.nn import functional as F

from ah_ray.config import Arithmetic
from ah_ray.omni.inputs.audio import count_mel_frames
from ah_ray.omni.inputs.forks import PromptTree
from ah_ray.omni.inputs.layout import lay_out_clip, lay_out_pack
from ah_ray.omni.inputs.packing import pack_clips
from ah_ray.omni.inputs.prompt import build_prompt
from ah_ray.omni.inputs.staging import Stager
from ah_ray.omni.inputs.vision import compute_patch_grid
from ah_ray.omni.model.attention import PACKED
from ah_ray.omni.model.loading import load_model
from ah_ray.training.steps.learner import Learner
from ah_ray.training.steps.packed_thinker import (
    PackedThinker,
    _deepstack_by_places,
    compute_balance_loss,
)
from ah_ray.training.steps.supervised import SupervisedStep

BALANCE = 0.01


@pytest.fixture(scope="module")
def thinker(tiny) -> PackedThinker:
    loaded = load_model(tiny, Arithmetic.FLOAT32, [CPU], (), print)
    loaded.requires_grad_(True)
    loaded.set_attn_implementation(
        dict.fromkeys(("text_config", "vision_config", "audio_config"), PACKED)
    )
    return PackedThinker(loaded, towers=True)


def forward(model: PackedThinker, inputs, reads: torch.Tensor) -> torch.Tensor:
    """The pass as it was: each clip attends to itself, and picture and sound go in once."""
    model.routers.clear()
    thinker, layout = model.thinker.model, inputs.layout
    text = thinker.language_model
    embeds = text.embed_tokens(layout.ids)
    seen = thinker.visual(inputs.rows, grid_thw=layout.grid, **layout.vision_inputs)
    heard = [
        thinker.audio_tower(padded_feature=mels, **sounds.tower).pooler_output
        for sounds, mels in zip(layout.sounds, inputs.mels, strict=True)
    ]
    embeds = embeds.index_copy(0, layout.video, seen.pooler_output.to(embeds.dtype))
    for sounds, tokens in zip(layout.sounds, heard, strict=True):
        embeds = embeds.index_copy(0, sounds.tokens, tokens.to(embeds.dtype))
    with _deepstack_by_places(text):
        hidden = text(
            inputs_embeds=embeds[None],
            attention_mask=None,
            position_ids=layout.positions,
            use_cache=False,
            visual_pos_masks=layout.video,
            deepstack_visual_embeds=seen.deepstack_features,
            cu_seq_lens_q=layout.boundaries,
            cu_seq_lens_k=layout.boundaries,
            max_length_q=layout.longest,
            max_length_k=layout.longest,
        ).last_hidden_state[0]
    return model.thinker.lm_head(hidden[reads]).float()


def former_step(model, questions, clips, token_budget: int) -> float:
    profile, tokenizer = questions.profile, questions.tokenizer
    answers, layouts = [], []
    for clip in clips:
        asked = profile
        if clip.question is not None:
            asked = profile.model_copy(update={"user": clip.question, "questions": ()})
        text = profile.answer_text(clip.label)
        end = tokenizer.token_to_id("<|im_end|>")
        answer = (*tokenizer.encode(text, add_special_tokens=False).ids, end)
        frames, samples = clip.clip.frames, clip.clip.samples
        answers.append(answer)
        layouts.append(
            lay_out_clip(
                PromptTree.from_prompt(build_prompt(asked, tokenizer, answer[:-1])),
                compute_patch_grid(frames.shape),
                count_mel_frames(len(samples)),
                profile.grid_seconds(clip.clip.picture_s, len(frames)),
                13,
                profile.floor_positions,
            )
        )
    weight = sum(clip.weight * len(answer) for clip, answer in zip(clips, answers, strict=True))
    tokens = sum(layout.n_tokens for layout in layouts)
    total = torch.zeros(1, dtype=torch.float64)
    stager = Stager(CPU, torch.float32)
    for pack in pack_clips([layout.n_tokens for layout in layouts], token_budget):
        layout = lay_out_pack([layouts[n] for n in pack], model.config)
        ends = layout.boundaries[1:].tolist()
        lengths = torch.tensor([len(answers[n]) for n in pack])
        reads = [range(end - len(answers[n]), end) for n, end in zip(pack, ends, strict=True)]
        weights = torch.tensor([clips[n].weight for n in pack]).repeat_interleave(lengths)
        targets = torch.tensor([token for n in pack for token in answers[n]])
        inputs = stager.stage(
            [clips[n].clip.frames for n in pack], [clips[n].clip.samples for n in pack], layout
        ).wait()
        logits = forward(model, inputs, torch.tensor([place for its in reads for place in its]))
        losses = F.cross_entropy(logits, targets, reduction="none")
        answered = (losses * weights).sum() / max(weight, 1e-9)
        uneven = compute_balance_loss(model) * (len(inputs.layout.ids) / tokens)
        (answered + BALANCE * uneven).backward()
        total += answered.detach()
    return float(total)


@pytest.mark.parametrize("token_budget", [4096, 300])
def test_one_question_is_learned_bit_for_bit_as_before(thinker, questions, clips, token_budget):
    simple = "Does the face in <video> smile, and <audio> rise? Yes or No."
    labelled = [*clips, replace(clips[1], window=4, question=simple)]
    thinker.zero_grad()
    expected = former_step(thinker, questions, labelled, token_budget)
    gradients = {
        name: p.grad.clone() for name, p in thinker.named_parameters() if p.grad is not None
    }
    thinker.zero_grad()
    step = SupervisedStep(
        Learner(thinker, sharded=False),
        questions,
        Stager(CPU, torch.float32),
        token_budget=token_budget,
        balance=BALANCE,
    )
    assert step.add_gradients(labelled, 0).loss == expected
    assert len(gradients) > 100
    for name, parameter in thinker.named_parameters():
        if name in gradients:
            assert torch.equal(parameter.grad, gradients[name]), name
