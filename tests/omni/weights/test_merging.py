"""Base + adapter, merged at load or into a checkpoint, against running them unmerged."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from adapter_files import (
    add_by_hand,
    as_peft_018,
    set_config,
    swift_factors,
    train_with_peft,
    write_adapter,
)
from drawn_clips import draw_clip
from layouts import LAYOUTS, in_float32, of_transformers_5
from peft import LoraConfig
from safetensors.torch import load_file
from transformers_reference import Reference

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni.merged_checkpoint import write_merged_checkpoint
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint, fingerprint

CLIPS = [draw_clip(seed) for seed in range(3)]
LAYERS = "thinker.model.layers"

pytestmark = pytest.mark.filterwarnings("ignore::Warning:peft", "ignore::FutureWarning")


@pytest.fixture(scope="session")
def base(tiny, tmp_path_factory) -> Path:
    return in_float32(tiny, tmp_path_factory.mktemp("base") / "base")


@pytest.fixture
def p(profile):
    """P of the clips by a checkpoint and adapters merged at load."""

    def score(checkpoint: Path, *adapters: Path) -> list[float]:
        scorer = OmniScorer.load(
            find_checkpoint(str(checkpoint)),
            profile=profile,
            arithmetic=Arithmetic.FLOAT32,
            device="cpu",
            adapters=adapters,
        )
        return [score.p_ah for score in scorer.score(CLIPS)]

    return score


@pytest.fixture(scope="session")
def base_p(scorer) -> list[float]:
    return [score.p_ah for score in scorer.score(CLIPS)]


def shapes_of(checkpoint: Path, *endings: str) -> dict[str, tuple[int, ...]]:
    weights = load_file(checkpoint / "model.safetensors")
    return {n: tuple(w.shape) for n, w in sorted(weights.items()) if n.endswith(endings)}


def assert_moved(found: list[float], base_p: list[float]) -> None:
    """An adapter that changes nothing would be merged by anything."""
    assert min(abs(a - b) for a, b in zip(found, base_p, strict=True)) > 1e-3


PEFT_CONFIGS = {
    "attention": LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "v_proj"]),
    "attention and dense layers": LoraConfig(
        r=4,
        lora_alpha=8,
        use_rslora=True,
        lora_dropout=0.1,
        rank_pattern={"o_proj": 2, r"layers\.1\.self_attn\.q_proj": 6},
        alpha_pattern={"fc1": 3, r"model\.language_model\.layers\.0\.self_attn\.q_proj": 32},
        target_modules=[
            "q_proj", "o_proj", "fc1", "linear_fc2", "qkv", "proj1", "lm_head", "mlp.0",
        ],
    ),
    "experts and routers": LoraConfig(
        r=2,
        lora_alpha=6,
        rank_pattern={"down_proj": 3},
        alpha_pattern={"mlp.gate.weight": 1},
        target_modules=[],
        target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj", "mlp.gate.weight"],
    ),
    "one of the experts' parameters": LoraConfig(
        r=2, lora_alpha=8, target_modules=["q_proj"], target_parameters=["mlp.experts.down_proj"]
    ),
    "embeddings and whole modules": LoraConfig(
        r=4, lora_alpha=4, target_modules=["embed_tokens"], modules_to_save=["lm_head", "ln_post"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("config", PEFT_CONFIGS.values(), ids=PEFT_CONFIGS)
def test_adapters_of_peft(config, base, profile, base_p, p, tmp_path):
    reference = Reference(base, profile)
    train_with_peft(reference.model, config, tmp_path / "adapter")
    unmerged = [reference.p_ah(clip) for clip in CLIPS]
    assert_moved(unmerged, base_p)
    assert p(base, tmp_path / "adapter") == pytest.approx(unmerged, abs=1e-5)
    write_merged_checkpoint(base, [tmp_path / "adapter"], tmp_path / "merged")
    assert p(tmp_path / "merged") == pytest.approx(unmerged, abs=1e-5)


@pytest.fixture(scope="session")
def swift(base, tmp_path_factory) -> Path:
    """As ms-swift saved it under transformers 4: an expert a module, and routers."""
    endings = ("q_proj.weight", "mlp.gate.weight", "gate_proj.weight", "down_proj.weight")
    shapes = shapes_of(base, *endings)
    # Two of the experts have `up` too: gate without up is not a case of its own.
    shapes |= shapes_of(base, "experts.0.up_proj.weight", "experts.3.up_proj.weight")
    shapes = {n: s for n, s in shapes.items() if n.startswith(LAYERS)}
    assert f"{LAYERS}.2.mlp.gate.weight" in shapes and len(shapes) == 3 * (2 + 8 + 2)
    return write_adapter(tmp_path_factory.mktemp("swift") / "swift", swift_factors(shapes))


@pytest.fixture(scope="session")
def swift_p(base, swift, profile, base_p, tmp_path_factory) -> list[float]:
    """By hand, and transformers' own forward."""
    by_hand = Path(shutil.copytree(base, tmp_path_factory.mktemp("by_hand") / "model"))
    add_by_hand(by_hand, load_file(swift / "adapter_model.safetensors"), scale=2.0)
    reference = Reference(by_hand, profile)
    expected = [reference.p_ah(clip) for clip in CLIPS]
    assert_moved(expected, base_p)
    return expected


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_an_adapter_of_ms_swift_into_every_layout(layout, base, swift, swift_p, p, tmp_path):
    layout(base, tmp_path / "base")
    write_merged_checkpoint(tmp_path / "base", [swift], tmp_path / "merged")
    assert p(tmp_path / "merged") == pytest.approx(swift_p, abs=1e-5)


def test_an_adapter_of_ms_swift_at_load(base, swift, swift_p, p):
    assert p(base, swift) == pytest.approx(swift_p, abs=1e-5)


def test_fused_factors_into_single_experts_and_back(base, profile, p, tmp_path):
    """An adapter of transformers 5 finds its places in a checkpoint of transformers 4."""
    of_transformers_5(base, tmp_path / "fused")
    train_with_peft(
        Reference(base, profile).model, PEFT_CONFIGS["experts and routers"], tmp_path / "lora"
    )
    write_merged_checkpoint(tmp_path / "fused", [tmp_path / "lora"], tmp_path / "merged-fused")
    write_merged_checkpoint(base, [tmp_path / "lora"], tmp_path / "merged")
    assert p(tmp_path / "merged-fused") == p(tmp_path / "merged")


def test_fused_factors_of_peft_before_019(base, profile, p, tmp_path):
    """Rows and columns exchanged: the shapes of experts that are not square tell."""
    config = LoraConfig(
        r=2,
        lora_alpha=8,
        rank_pattern={"gate_up_proj": 3},
        target_modules=[],
        target_parameters=["mlp.experts.gate_up_proj"],
    )
    reference = Reference(base, profile)
    train_with_peft(reference.model, config, tmp_path / "lora")
    unmerged = [reference.p_ah(clip) for clip in CLIPS]
    assert p(base, tmp_path / "lora") == pytest.approx(unmerged, abs=1e-5)
    as_peft_018(tmp_path / "lora")
    assert p(base, tmp_path / "lora") == pytest.approx(unmerged, abs=1e-5)
    of_transformers_5(base, tmp_path / "fused")
    write_merged_checkpoint(tmp_path / "fused", [tmp_path / "lora"], tmp_path / "merged")
    assert p(tmp_path / "merged") == pytest.approx(unmerged, abs=1e-5)


@pytest.mark.parametrize("version", ["0.18.0", "0.17.1", "0.18.2.dev0@1a2b", None, "unknown"])
def test_square_experts_of_an_old_peft_are_refused(base, profile, version, tmp_path):
    """The tiny down_proj is square: nothing shows whether rows and columns are exchanged."""
    lora = tmp_path / "lora"
    train_with_peft(
        Reference(base, profile).model, PEFT_CONFIGS["one of the experts' parameters"], lora
    )
    write_merged_checkpoint(base, [lora], tmp_path / "merged")
    set_config(lora, peft_version=version)
    with pytest.raises(ConfigError, match=r"square experts \[96, 96\], and peft before 0\.19"):
        write_merged_checkpoint(base, [lora], tmp_path / "again")


def test_the_names_of_transformers_5_under_thinker(base, swift, swift_p, p, tmp_path):
    """ms-swift on transformers 5: peft loses attention and routers of these, with a warning."""
    factors = load_file(swift / "adapter_model.safetensors")
    renamed = {k.replace("thinker.model.", "thinker.model.language_model."): w
               for k, w in factors.items()}  # fmt: skip
    assert p(base, write_adapter(tmp_path / "lora", renamed)) == pytest.approx(swift_p, abs=1e-5)


def test_ranks_and_alphas_of_single_modules(base, tmp_path):
    """The patterns are of the names in training, and the file's own rank must be theirs."""
    q = {f"{LAYERS}.0.self_attn.q_proj.weight": (96, 96)}
    o = {f"{LAYERS}.0.self_attn.o_proj.weight": (96, 96)}
    factors = swift_factors(q, rank=3) | swift_factors(o, rank=4, seed=1)
    settings = {
        "rank_pattern": {r"thinker\.model\.layers\.0\.self_attn\.q_proj": 3},
        "alpha_pattern": {"self_attn.o_proj": 20},
        "use_rslora": True,
    }
    lora = write_adapter(tmp_path / "lora", factors, **settings)
    write_merged_checkpoint(base, [lora], tmp_path / "merged")
    before, after = (load_file(m / "model.safetensors") for m in (base, tmp_path / "merged"))
    for name, scale in ((*q, 8 / 3**0.5), (*o, 20 / 4**0.5)):
        module = f"base_model.model.{name.removesuffix('.weight')}"
        a, b = (factors[f"{module}.lora_{side}.weight"].double() for side in "AB")
        torch.testing.assert_close(
            after[name].double(), before[name].double() + scale * b @ a, rtol=1e-6, atol=1e-6
        )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {*q, *o}


def test_several_adapters_in_order(base, swift, p, tmp_path):
    other = write_adapter(
        tmp_path / "other", swift_factors(shapes_of(base, "q_proj.weight"), seed=7), lora_alpha=4
    )
    write_merged_checkpoint(base, [swift], tmp_path / "first")
    write_merged_checkpoint(tmp_path / "first", [other], tmp_path / "both")
    write_merged_checkpoint(base, [swift, other], tmp_path / "at-once")
    assert p(tmp_path / "at-once") == pytest.approx(p(tmp_path / "both"), abs=1e-6)
    assert p(base, swift, other) == p(tmp_path / "at-once")
    provenance = json.loads((tmp_path / "at-once" / "merge.json").read_text())
    names = [adapter["name"] for adapter in provenance["adapters"]]
    assert names == ["swift", "other"]


def test_bf16_is_rounded_once(tiny, base, swift, tmp_path):
    """Into the released type: the float32 sum, rounded; the same bits at load."""
    write_merged_checkpoint(base, [swift], tmp_path / "wide")
    write_merged_checkpoint(tiny, [swift], tmp_path / "narrow")
    wide, narrow = (load_file(tmp_path / m / "model.safetensors") for m in ("wide", "narrow"))
    for name, weight in wide.items():
        assert torch.equal(weight.bfloat16(), narrow[name]), name


def test_load_and_merge_give_the_same_bf16(tiny, swift, profile, tmp_path):
    write_merged_checkpoint(tiny, [swift], tmp_path / "merged")
    settings = {"profile": profile, "arithmetic": Arithmetic.BF16, "device": "cpu"}
    merged = OmniScorer.load(tmp_path / "merged", **settings)
    at_load = OmniScorer.load(tiny, **settings, adapters=[swift])
    assert [s.p_ah for s in merged.score(CLIPS)] == [s.p_ah for s in at_load.score(CLIPS)]


def test_fingerprints_tell_adapters_apart(tiny, swift, tmp_path):
    copy = Path(shutil.copytree(swift, tmp_path / "elsewhere"))
    other = write_adapter(
        tmp_path / "other", load_file(swift / "adapter_model.safetensors"), lora_alpha=16
    )
    assert fingerprint(tiny, [swift]) == fingerprint(tiny, [copy])
    found = {fingerprint(tiny, a) for a in ([], [swift], [other], [swift, other], [other, swift])}
    assert len(found) == 5
