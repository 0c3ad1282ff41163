"""What further questions about a clip cost, counted and measured on this machine's CPU.

    python benchmarks/questions.py

Asks one question, ten of one look, and ten one after another, of the same clips. The questions
differ from their first word on. The model has the tiny model's sizes and random weights, and the
clips have about 1,100 tokens, as 448² px make them. Seconds are those of the process on a core.
"""

from __future__ import annotations

import argparse
import time

import torch
from random_model import full_size, make_clips, make_model, tiny_size

from ah_ray.config import Arithmetic
from ah_ray.omni.flops import count_layout_flops
from ah_ray.omni.inputs.layout import lay_out_clip
from ah_ray.omni.model.loading import prepare_model
from ah_ray.omni.model.thinker import Thinker
from ah_ray.omni.questionnaire import build_questionnaire
from ah_ray.omni.scorer import OmniScorer
from ah_ray.profile import Profile, Question, load_profile
from ah_ray.records import Clip

N_QUESTIONS = 10
N_CLIPS = 3
SIZES = ((448, 448), (640, 1152))
_TEXT = (
    " {} content to analyze whether this video clip exhibits Ambivalence/Hesitancy emotions. "
    "Output the answer in the format <answer>answer is here</answer>, responding only with Yes or "
    "No."
)


def ask(*numbers: int) -> Profile:
    """Return a profile with these of ten questions."""
    questions = tuple(
        Question(name=f"q{n}", text=_TEXT.format("abcdefghij"[n]), positive="Yes") for n in numbers
    )
    return load_profile("seed-448").model_copy(update={"questions": questions})


def measure_cpu_s(thinker: Thinker, tokenizer, profile: Profile, clips: list[Clip]) -> float:
    """Return the CPU seconds that all clips take, one clip a pass."""
    scorer = OmniScorer.from_thinker(thinker, tokenizer, profile, token_budget=1)
    scorer.score(clips[:1])
    began = time.process_time()
    scorer.score(clips)
    return time.process_time() - began


def print_counts() -> None:
    """Print the operations of ten questions, and of the profile seed-why, against one question."""
    config, tokenizer = full_size()
    for height_px, width_px in SIZES:
        one, ten, why = (
            count_layout_flops(
                config,
                lay_out_clip(
                    build_questionnaire(profile, tokenizer).tree,
                    (5, height_px // 16, width_px // 16),
                    500,
                    2.0,
                    13,
                ),
            )
            for profile in (ask(0), ask(*range(N_QUESTIONS)), load_profile("seed-why"))
        )
        counts = " | ".join(f"{n / 1e12:.1f} | {n / one:.2f}" for n in (ten, why))
        print(f"| {width_px}×{height_px} | {one / 1e12:.1f} | {counts} |")


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    print("| size | TFLOP, one question | ten | × | seed-why | × |")
    print("| --- | --- | --- | --- | --- | --- |")
    print_counts()
    config, tokenizer = tiny_size()
    model = make_model(config, tokenizer, torch.float32, torch.device("cpu"))
    thinker = Thinker(prepare_model(model, Arithmetic.FLOAT32))
    clips = make_clips(N_CLIPS, 448, 448)
    one = measure_cpu_s(thinker, tokenizer, ask(0), clips)
    together = measure_cpu_s(thinker, tokenizer, ask(*range(N_QUESTIONS)), clips)
    apart = sum(measure_cpu_s(thinker, tokenizer, ask(n), clips) for n in range(N_QUESTIONS))
    print(f"one: {one / N_CLIPS:.2f} s a clip; ten of one look: {together / N_CLIPS:.2f} s")
    print(f"ten one after another: {apart / N_CLIPS:.2f} s; of one look: × {together / apart:.3f}")


if __name__ == "__main__":
    main()
