"""What further questions cost: measured with a small model and clips of full length."""

import pytest
import torch
from questions import N_QUESTIONS, ask, measure_cpu_s
from random_model import make_clips, make_model, tiny_size

from ah_ray.config import Arithmetic
from ah_ray.omni.model.loading import prepare_model
from ah_ray.omni.model.thinker import Thinker

pytestmark = pytest.mark.heavy


def test_ten_questions_of_one_look_take_a_small_part_of_ten_looks():
    torch.set_num_threads(1)
    config, tokenizer = tiny_size()
    model = make_model(config, tokenizer, torch.float32, torch.device("cpu"))
    thinker = Thinker(prepare_model(model, Arithmetic.FLOAT32))
    clips = make_clips(2, 448, 448)
    together = measure_cpu_s(thinker, tokenizer, ask(*range(N_QUESTIONS)), clips)
    apart = sum(measure_cpu_s(thinker, tokenizer, ask(n), clips) for n in range(N_QUESTIONS))
    assert together <= 0.17 * apart
