"""Checkpoints and adapters made to do harm: to run code, to reach other files, to take all time."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import time
from pathlib import Path

import pytest
import torch
from adapter_files import swift_factors, write_adapter
from safetensors.torch import load_file

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni.model.loading import load_model
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.adapter import read_adapter
from ah_ray.omni.weights.adapter_fit import fit_adapters
from ah_ray.omni.weights.checkpoint import find_checkpoint, fingerprint, list_thinker_tensors
from ah_ray.omni.weights.model_files import open_folder
from ah_ray.omni.weights.weight_names import collect_weight_shapes

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
Q = "thinker.model.layers.0.self_attn.q_proj.weight"


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path):
        self._trace = trace

    def __reduce__(self):
        return Path.touch, (self._trace,)


@pytest.fixture
def copy(tiny, tmp_path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "my-model"))


@pytest.fixture
def trace(tmp_path) -> Path:
    """What is there only if code of a model ran."""
    return tmp_path / "trace"


def load(checkpoint: Path) -> torch.nn.Module:
    cpu = [torch.device("cpu")]
    return load_model(find_checkpoint(str(checkpoint)), Arithmetic.FLOAT32, cpu, [], print)


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def header(entries: object, tail: bytes = bytes(64)) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + tail


def test_code_that_comes_with_a_model_does_not_run(copy, profile, trace):
    code = f"from pathlib import Path\nPath({str(trace)!r}).touch()\n"
    for module in ("modeling", "configuration", "tokenization", "processing"):
        (copy / f"{module}_evil.py").write_text(code + "class Evil: pass\n")
    auto = {
        "AutoConfig": "configuration_evil.Evil",
        "AutoModel": "modeling_evil.Evil",
        "AutoTokenizer": ["tokenization_evil.Evil", None],
    }
    thinker = json.loads((copy / "config.json").read_text())["thinker_config"]
    changed(copy / "config.json", auto_map=auto, thinker_config=thinker | {"auto_map": auto})
    changed(copy / "tokenizer_config.json", auto_map=auto, tokenizer_class="Evil")
    (copy / "chat_template.jinja").write_text("{{ cycler.__init__.__globals__.os.system('id') }}")
    OmniScorer.load(copy, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")
    assert not trace.exists()


def test_pickles_that_come_with_a_model_are_not_opened(copy, trace):
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "rng_state.pth"):
        (copy / name).write_bytes(pickle.dumps(Payload(trace)))
    load(copy)
    (copy / "pytorch_model.bin").rename(copy / "model-00001-of-00001.safetensors")
    (copy / WEIGHTS).unlink()
    (copy / INDEX).write_text(json.dumps({"weight_map": {Q: "model-00001-of-00001.safetensors"}}))
    with pytest.raises(ConfigError, match="not a whole safetensors file"):
        find_checkpoint(str(copy))
    assert not trace.exists()


@pytest.mark.parametrize("name", ["adapter_model.bin", "optimizer.pt"])
def test_pickles_that_come_with_an_adapter_are_not_opened(tmp_path, trace, name):
    adapter = write_adapter(tmp_path / "lora", swift_factors({Q: (96, 96)}))
    (adapter / name).write_bytes(pickle.dumps(Payload(trace)))
    assert read_adapter(adapter).pairs
    assert not trace.exists()


@pytest.mark.parametrize(
    "name",
    [
        "../other/model.safetensors",
        "{outside}/model.safetensors",
        "sub/../../other/model.safetensors",
        "./model.safetensors",
        "file://{outside}/model.safetensors",
        "s3://bucket/model.safetensors",
        "model.safetensors\0",
        "",
        "..",
    ],
)
def test_an_index_names_no_file_outside_of_its_folder(copy, tiny, tmp_path, name):
    outside = Path(shutil.copytree(tiny, tmp_path / "other"))
    (copy / WEIGHTS).rename(copy / "model-1.safetensors")
    places = dict.fromkeys(load_file(copy / "model-1.safetensors"), "model-1.safetensors")
    places["thinker.lm_head.weight"] = name.format(outside=outside)
    (copy / INDEX).write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ConfigError, match="1 of 2 weight files are absent"):
        find_checkpoint(str(copy))


def test_a_config_names_no_other_weights(copy, tiny):
    """transformers would load these instead of the ones that are fingerprinted."""
    shutil.copy(copy / WEIGHTS, copy / "other.safetensors")
    thinker = json.loads((copy / "config.json").read_text())["thinker_config"]
    for name in ("other.safetensors", "../other/model.safetensors"):
        for change in (
            {"transformers_weights": name},
            {"thinker_config": thinker | {"transformers_weights": name}},
        ):
            shutil.copy(tiny / "config.json", copy)
            changed(copy / "config.json", **change)
            with pytest.raises(ConfigError, match="names other weights with transformers_weights"):
                find_checkpoint(str(copy))


def test_whole_weights_and_an_index_of_others_are_not_guessed_at(copy):
    """The index would be fingerprinted, and transformers would load the whole."""
    places = dict.fromkeys(load_file(copy / WEIGHTS), "other.safetensors")
    shutil.copy(copy / WEIGHTS, copy / "other.safetensors")
    (copy / INDEX).write_text(json.dumps({"weight_map": places}))
    with pytest.raises(
        ConfigError, match="that names other files; remove what does not belong to this model"
    ):
        find_checkpoint(str(copy))


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 100 << 20) + b"{}",
        struct.pack("<Q", 200_000) + b"[" * 200_000,
        header({"a": {"dtype": "F32", "shape": [4], "data_offsets": [-16, 0]}}),
        header({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0.0, 16.0]}}),
        header({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 1 << 62]}}),
        header({"a": {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 16]}}),
        header({"a": {"dtype": "F32", "shape": [-1, -4], "data_offsets": [0, 16]}}),
        header({"a": {"dtype": "F32", "shape": [4.0], "data_offsets": [0, 16]}}),
        header({"a": {"dtype": "F32", "shape": [10**18] * 100_000, "data_offsets": [0, 16]}}),
        header({"a": {"dtype": 7, "shape": [4], "data_offsets": [0, 16]}}),
        header({"a": {"dtype": "F32", "shape": "4", "data_offsets": [0, 16]}}),
        header({"a": []}),
        header([]),
        header(None),
    ],
)
@pytest.mark.parametrize("of", ["model", "adapter"])
def test_a_header_that_lies_is_reported_at_once(copy, tmp_path, content, of):
    started = time.process_time()
    if of == "model":
        (copy / WEIGHTS).write_bytes(content)
        with pytest.raises(ConfigError, match=r"not a whole safetensors file .*; fetch it again"):
            fingerprint(find_checkpoint(str(copy)))
    else:
        adapter = write_adapter(tmp_path / "lora", swift_factors({Q: (96, 96)}))
        (adapter / "adapter_model.safetensors").write_bytes(content)
        with pytest.raises(ConfigError, match=r"not a whole safetensors file .*; fetch it again"):
            read_adapter(adapter)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"thinker_config": ' * 50_000,
        '{"thinker_config": []}',
        '{"thinker_config": null}',
        '{"thinker_config": "x"}',
        '{"n": ' + "9" * 5_000 + "}",
    ],
)
def test_what_is_no_config_is_reported(copy, text):
    (copy / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json is"):
        find_checkpoint(str(copy))


@pytest.mark.parametrize(
    "change",
    [
        {"text_config": None},
        {"text_config": {"num_experts": "many"}},
        {"text_config": []},
        {"vision_config": 7},
    ],
)
def test_wrong_parts_of_a_config_are_reported(copy, change):
    thinker = json.loads((copy / "config.json").read_text())["thinker_config"]
    changed(copy / "config.json", thinker_config=thinker | change)
    with pytest.raises(ConfigError, match=rf"config\.json: {next(iter(change))}"):
        find_checkpoint(str(copy))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", INDEX])
def test_small_files_are_small(copy, name):
    (copy / name).touch()
    with (copy / name).open("r+b") as file:
        file.truncate(1 << 40)  # a hole: nothing is written
    with pytest.raises(ConfigError, match=f"{name} has 1,099,511,627,776 bytes"):
        fingerprint(find_checkpoint(str(copy)))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(?:\w|\.|\w\w|\w\.)*\d", "takes too long"),
        ("(", "is no pattern"),
    ],
)
def test_a_pattern_of_ranks_that_would_never_end(tiny, tmp_path, pattern, message):
    factors = swift_factors({Q: (96, 96)})
    adapter = read_adapter(write_adapter(tmp_path / "lora", factors, rank_pattern={pattern: 4}))
    tensors = list_thinker_tensors(open_folder(tiny))
    shapes = collect_weight_shapes((tensor.name, tensor.shape) for tensor in tensors)
    started = time.process_time()
    with pytest.raises(ConfigError, match=message):
        fit_adapters([adapter], shapes)
    assert time.process_time() - started < 5
