"""One name for each weight, for all names that files give it."""

import pytest

from ah_ray.omni.weights.weight_names import collect_weight_shapes, list_slices, normalise_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("thinker.model.layers.0.mlp.gate.weight", "model.layers.0.mlp.gate.weight"),
        ("model.layers.0.mlp.gate.weight", "model.layers.0.mlp.gate.weight"),
        ("model.language_model.layers.0.mlp.gate.weight", "model.layers.0.mlp.gate.weight"),
        ("thinker.model.language_model.norm.weight", "model.norm.weight"),
        ("model.visual.blocks.0.attn.qkv.bias", "visual.blocks.0.attn.qkv.bias"),
        ("thinker.visual.blocks.0.attn.qkv.bias", "visual.blocks.0.attn.qkv.bias"),
        ("model.audio_tower.conv_out.weight", "audio_tower.conv_out.weight"),
        ("thinker.lm_head.weight", "lm_head.weight"),
    ],
)
def test_one_name(name, expected):
    assert normalise_name(name) == expected
    assert normalise_name(expected) == expected


def test_what_a_fused_tensor_holds():
    found = list(list_slices("model.language_model.layers.1.mlp.experts.gate_up_proj", (2, 6, 5)))
    assert [(place.name.removeprefix("model.layers.1.mlp.experts."), place.index, place.shape)
            for place in found] == [
        ("0.gate_proj.weight", (0, slice(0, 3)), (3, 5)),
        ("0.up_proj.weight", (0, slice(3, 6)), (3, 5)),
        ("1.gate_proj.weight", (1, slice(0, 3)), (3, 5)),
        ("1.up_proj.weight", (1, slice(3, 6)), (3, 5)),
    ]  # fmt: skip


def test_shapes_are_of_the_thinker():
    shapes = collect_weight_shapes(
        [("talker.model.norm.weight", (8,)), ("model.layers.0.mlp.experts.down_proj", (2, 5, 3))]
    )
    assert shapes == {f"model.layers.0.mlp.experts.{e}.down_proj.weight": (5, 3) for e in (0, 1)}
