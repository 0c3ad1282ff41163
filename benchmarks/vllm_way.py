"""vLLM's prefill of the same clips, where vLLM is installed: a peer of `gpu.py`.

    python benchmarks/vllm_way.py FOLDER PROFILE HEIGHT WIDTH N_CLIPS

It runs in a process of its own, offline, on random weights of the released sizes, which it makes by
itself: the folder has a config, a tokenizer and the settings of the processors, and no weights.
Each request is one prompt that ends with `<answer`, one video and one sound, and asks for one token
with its log-probabilities. Caches of prefixes and of media are off: every clip is new in a cohort.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_record import Row
from random_model import make_clips
from tokenizers import Tokenizer

from ah_ray.omni.inputs.audio import SAMPLE_RATE_HZ
from ah_ray.omni.inputs.prompt import format_chat
from ah_ray.omni.inputs.vision import MERGE, PATCH_PX, TEMPORAL
from ah_ray.profile import Profile, load_profile

if TYPE_CHECKING:
    from gpu_phases import Bench

ANSWER = "<answer"
_SHARE = 0.45  # of the GPU's memory; our own model is still there
_SECONDS = 540


def measure_vllm(bench: Bench, size: str) -> Iterator[Row]:
    """Clips per second of vLLM, or a line that says what is missing."""
    if find_spec("vllm") is None:
        yield {"way": "vLLM, offline", "clips/s": "not measured: vLLM is not installed"}
        return
    name, height_px, width_px = bench.setup.profiles[size]
    with tempfile.TemporaryDirectory(prefix="ah_ray-vllm-") as folder:
        write_model(Path(folder), bench.config, bench.tokenizer)
        command = [sys.executable, __file__, folder, name, str(height_px), str(width_px)]
        ran = subprocess.run(
            [*command, str(bench.setup.n_clips)], capture_output=True, text=True, timeout=_SECONDS
        )
    if ran.returncode:
        raise RuntimeError((ran.stderr.strip().splitlines() or ["vLLM ended without a word"])[-1])
    yield json.loads(ran.stdout.splitlines()[-1])


def write_model(folder: Path, config: Any, tokenizer: Tokenizer) -> None:
    """Write what vLLM asks of a checkpoint, but the weights."""
    whole = {
        "architectures": ["Qwen3OmniMoeForConditionalGeneration"],
        "model_type": "qwen3_omni_moe",
        "dtype": "bfloat16",
        "thinker_config": config.to_dict(),
    }
    picture = {
        "patch_size": PATCH_PX, "temporal_patch_size": TEMPORAL, "merge_size": MERGE,
        "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_resize": False,
    }  # fmt: skip
    sound = {
        "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 128,
        "sampling_rate": SAMPLE_RATE_HZ, "hop_length": 160, "n_fft": 400, "chunk_length": 300,
        "return_attention_mask": True, "padding_value": 0.0,
    }  # fmt: skip
    files = {
        "config.json": whole,
        "preprocessor_config.json": {
            **sound, **picture, "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen3OmniMoeProcessor",
        },
        "video_preprocessor_config.json": {
            **picture, "video_processor_type": "Qwen2VLVideoProcessor", "do_sample_frames": False,
        },
        "tokenizer_config.json": {"tokenizer_class": "Qwen2TokenizerFast"},
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))


def make_requests(profile: Profile, height_px: int, width_px: int, n: int) -> list[dict[str, Any]]:
    """Return what vLLM is given for each clip: the prompt, the frames and the sound as arrays."""
    prompt = format_chat(profile) + ANSWER
    return [
        {
            "prompt": prompt,
            "multi_modal_data": {"video": clip.frames, "audio": (clip.samples, SAMPLE_RATE_HZ)},
        }
        for clip in make_clips(n, height_px, width_px)
    ]


def main(folder: str, name: str, height_px: int, width_px: int, n: int) -> None:
    """Print the rate as one line of JSON."""
    from vllm import LLM, SamplingParams, __version__

    model = LLM(
        model=folder, load_format="dummy", dtype="bfloat16", max_model_len=8_192,
        gpu_memory_utilization=_SHARE, enable_prefix_caching=False, mm_processor_cache_gb=0,
        limit_mm_per_prompt={"video": 1, "audio": 1, "image": 0}, max_num_seqs=64, seed=0,
    )  # fmt: skip
    sampling = SamplingParams(temperature=0.0, max_tokens=1, logprobs=20)
    requests = make_requests(load_profile(name), height_px, width_px, n)
    model.generate(requests[: n // 8], sampling, use_tqdm=False)
    began = time.perf_counter()
    answers = model.generate(requests, sampling, use_tqdm=False)
    seconds = time.perf_counter() - began
    assert all(answer.outputs[0].logprobs for answer in answers)
    n_tokens = sum(len(answer.prompt_token_ids) for answer in answers)
    print(json.dumps({
        "way": f"vLLM {__version__}, offline", "clips/s": n / seconds,
        "tokens a clip": n_tokens / n,
    }))  # fmt: skip


if __name__ == "__main__":
    _, model_folder, profile_name, *numbers = sys.argv
    main(model_folder, profile_name, *map(int, numbers))
