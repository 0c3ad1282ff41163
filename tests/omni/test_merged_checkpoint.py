"""A merged checkpoint is whole or not there, needs little memory, and says what it is made of."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from adapter_files import swift_factors, write_adapter
from layouts import sharded, with_talker
from safetensors.torch import load_file, save_file

from ah_ray.errors import ConfigError
from ah_ray.omni.merged_checkpoint import count_weight_bytes, write_merged_checkpoint
from ah_ray.omni.weights.checkpoint import find_checkpoint, fingerprint
from ah_ray.omni.weights.model_files import open_folder
from ah_ray.omni.weights.safetensors_header import list_tensors

Q = "thinker.model.layers.1.self_attn.q_proj.weight"


@pytest.fixture
def adapter(tmp_path) -> Path:
    return write_adapter(tmp_path / "lora", swift_factors({Q: (96, 96)}))


def test_every_other_file_and_byte_is_the_bases(tiny, adapter, tmp_path):
    with_talker(tiny, tmp_path / "base")
    write_merged_checkpoint(tmp_path / "base", [adapter], tmp_path / "merged")
    before, after = (load_file(tmp_path / m / "model.safetensors") for m in ("base", "merged"))
    assert before.keys() == after.keys()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {Q}
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "merged" / name).read_bytes() == (tmp_path / "base" / name).read_bytes()


def test_files_keep_their_layout(tiny, adapter, tmp_path):
    sharded(tiny, tmp_path / "base")
    told = []
    write_merged_checkpoint(tmp_path / "base", [adapter], tmp_path / "merged", told.append)
    base, merged = open_folder(tmp_path / "base"), open_folder(tmp_path / "merged")
    assert merged.files.keys() == {*base.files, "merge.json"} - {"MODEL_CARD.md"}
    for name in base.files:
        if name.endswith(".safetensors"):
            assert list_tensors(base, name) == list_tensors(merged, name)
    assert sum(told) == count_weight_bytes(tmp_path / "base")


def test_provenance(tiny, adapter, tmp_path):
    returned = write_merged_checkpoint(tiny, [adapter], tmp_path / "merged")
    written = json.loads((tmp_path / "merged" / "merge.json").read_text())
    assert written == returned
    assert written["base"] == {"name": "tiny", "fingerprint": fingerprint(tiny)}
    assert [a["name"] for a in written["adapters"]] == ["lora"]
    assert written["weights_changed"] == 1
    assert str(tmp_path) not in json.dumps(written)
    merged = find_checkpoint(str(tmp_path / "merged"))
    assert fingerprint(merged) not in (fingerprint(tiny), fingerprint(tiny, [adapter]))


LAYER = "thinker.model.layers.1.self_attn"
BAD = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("side", ["A", "B"])
def test_an_adapter_that_is_not_finite_is_not_written(tiny, tmp_path, side, value):
    factors = swift_factors({Q: (96, 96)})
    key = f"base_model.model.{LAYER}.q_proj.lora_{side}.weight"
    factors[key][1, 2] = value
    lora = write_adapter(tmp_path / "lora", factors)
    with pytest.raises(ConfigError, match=rf"lora_{side}\.weight holds NaN or infinity"):
        write_merged_checkpoint(tiny, [lora], tmp_path / "out" / "merged")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".merged.lock"]


def test_a_sum_that_is_too_large_for_the_bases_type_is_not_written(tiny, adapter, tmp_path):
    base = Path(shutil.copytree(tiny, tmp_path / "base"))
    weights = load_file(base / "model.safetensors")
    save_file(weights | {Q: weights[Q].half()}, base / "model.safetensors")
    lora = write_adapter(tmp_path / "large", load_file(adapter / "adapter_model.safetensors"),
                         lora_alpha=1e7)  # fmt: skip
    with pytest.raises(ConfigError, match=r"with it, model\..*\.q_proj\.weight holds"):
        write_merged_checkpoint(base, [lora], tmp_path / "merged")


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("name", ["q_proj", "k_proj"])  # the one that is merged into, and another
def test_a_base_that_is_not_finite_is_not_written(tiny, adapter, tmp_path, name, value):
    base = Path(shutil.copytree(tiny, tmp_path / "base"))
    weights = load_file(base / "model.safetensors")
    weights[f"{LAYER}.{name}.weight"][3, 4] = value
    weights["talker.anything"] = torch.full((4,), value)  # nothing of it scores
    save_file(weights, base / "model.safetensors")
    with pytest.raises(ConfigError, match=rf"{name}\.weight holds NaN or infinity"):
        write_merged_checkpoint(base, [adapter], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_out_is_not_overwritten(tiny, adapter, tmp_path):
    (tmp_path / "merged").mkdir()
    with pytest.raises(ConfigError, match="merged exists; name a new directory"):
        write_merged_checkpoint(tiny, [adapter], tmp_path / "merged")


def test_a_misfit_is_reported_before_anything_is_written(tiny, tmp_path):
    other = swift_factors({Q: (96, 97)})
    with pytest.raises(ConfigError, match="do not fit"):
        write_merged_checkpoint(
            tiny, [write_adapter(tmp_path / "lora", other)], tmp_path / "out" / "merged"
        )
    assert not (tmp_path / "out").exists()


def test_a_stopped_merge_leaves_nothing(tiny, adapter, tmp_path):
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_merged_checkpoint(tiny, [adapter], tmp_path / "out" / "merged", stop)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".merged.lock"]


def test_a_killed_merge_leaves_no_checkpoint_and_stands_in_no_ones_way(tiny, adapter, tmp_path):
    out = tmp_path / "merged"
    code = (
        "import os, signal; from pathlib import Path\n"
        "from ah_ray.omni.merged_checkpoint import write_merged_checkpoint\n"
        f"kill = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"write_merged_checkpoint(Path({str(tiny)!r}), [Path({str(adapter)!r})], "
        f"Path({str(out)!r}), kill)"
    )
    killed = subprocess.run([sys.executable, "-c", code], timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists() and (tmp_path / ".merged.partial").is_dir()
    write_merged_checkpoint(tiny, [adapter], out)
    assert find_checkpoint(str(out)) == out and not (tmp_path / ".merged.partial").exists()


def test_two_merges_into_one_directory(tiny, adapter, tmp_path):
    def merge_again(_: int) -> None:
        with pytest.raises(ConfigError, match="another merge is writing it"):
            write_merged_checkpoint(tiny, [adapter], tmp_path / "merged")

    write_merged_checkpoint(tiny, [adapter], tmp_path / "merged", merge_again)


def test_memory_holds_one_tensor(tiny, tmp_path):
    """256 MB of weights, every one of them changed, in one file, and a third of it is not used."""
    base = Path(shutil.copytree(tiny, tmp_path / "base"))
    shapes = {f"thinker.model.layers.{i}.wide.weight": (2048, 2048) for i in range(3, 19)}
    weights = load_file(base / "model.safetensors")
    save_file(
        weights | {name: torch.zeros(shape) for name, shape in shapes.items()},
        base / "model.safetensors",
    )
    adapter = write_adapter(tmp_path / "lora", swift_factors(shapes, rank=4))
    code = (
        "import resource; from pathlib import Path\n"
        "from ah_ray.omni.merged_checkpoint import write_merged_checkpoint\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        f"write_merged_checkpoint(Path({str(base)!r}), [Path({str(adapter)!r})], "
        f"Path({str(tmp_path / 'out')!r}))\n"
        "print(peak() - before)"
    )
    ran = subprocess.run([sys.executable, "-c", code], timeout=300, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 100 << 10  # KiB
