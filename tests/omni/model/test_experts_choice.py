"""Which way a model's experts are computed: the faster one that works, with a line that says so."""

import re
from types import SimpleNamespace

import pytest
import torch
from random_experts import Experts, draw
from torch import nn

from ah_ray.omni.kernels.blocks import Product
from ah_ray.omni.model import experts as module
from ah_ray.omni.model.experts import KernelExperts, choose_experts, run_by_torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
pytest.importorskip("triton", reason="Triton's interpreter comes with `pip install -e .[test]`")


def make_model(dtype=torch.bfloat16) -> SimpleNamespace:
    """A language model with one dense layer, and one with four experts, two for each token."""
    router = SimpleNamespace(weight=draw(4, 32).to(DEVICE, dtype), top_k=2)
    sparse = SimpleNamespace(experts=Experts(4, 32, 16).to(DEVICE, dtype), gate=router)
    layers = [SimpleNamespace(mlp=nn.Module()), SimpleNamespace(mlp=sparse)]
    return SimpleNamespace(model=SimpleNamespace(language_model=SimpleNamespace(layers=layers)))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def choose(model, times: list[float]):
    """Choose with a clock that shows these times one after another, then the last again."""
    shown, messages = iter(times), []

    def measure_ms(run) -> float:
        return next(shown)

    way = choose_experts(model, messages.append, measure_ms=measure_ms, n_tokens=3)
    return way, messages


SEARCH = [1.0] * 8  # four tiles of each product; the first is the best


def test_the_faster_way_is_taken_and_named():
    way, messages = choose(make_model(), [*SEARCH, 2.5, 2.0])
    assert isinstance(way, KernelExperts)
    assert messages == ["Experts: our kernel, 2.00 ms a layer; torch's 2.50 ms"]
    way, messages = choose(make_model(), [2.0, 2.5])  # the tiles are known now
    assert way is run_by_torch
    assert messages == ["Experts: torch's grouped products, 2.00 ms a layer; our kernel 2.50 ms"]


def test_the_tiles_that_were_found_are_used():
    way, _ = choose(make_model(), [3.0, 1.0, 2.0, 4.0, 9.0, 8.0, 7.0, 6.0, 2.5, 2.0])
    assert [blocks.rows for blocks in way.large.values()] == [128, 64]
    assert [blocks.columns for blocks in way.large.values()] == [64, 64]


def test_a_product_is_searched_beside_tiles_that_every_card_can_launch():
    """As on a card on which the first tiles of the second product need too much shared memory."""
    used, largest = [], module.LARGE[Product.DOWN, 2][0]
    real = KernelExperts.__call__

    def call(self, *arguments):
        used.append(self.large)
        if self.large[Product.DOWN] == largest:
            raise RuntimeError("out of resource: shared memory")
        return real(self, *arguments)

    def measure_ms(run) -> float:
        run()
        return 1.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KernelExperts, "__call__", call)
        way = choose_experts(make_model(), print, measure_ms=measure_ms, n_tokens=3)
    assert way is run_by_torch, "it is not faster on this clock"
    assert used[-1][Product.DOWN] not in (None, largest), "the search has found other tiles"


def test_a_kernel_that_differs_is_not_used(monkeypatch):
    kernels = module.load_kernels()
    wrong = SimpleNamespace(**vars(kernels))
    wrong.sum_choices = lambda rows, dtype: 1.1 * kernels.sum_choices(rows, dtype)
    monkeypatch.setattr(module, "load_kernels", lambda: wrong)
    way, messages = choose(make_model(), [*SEARCH, 2.5, 2.0])
    assert way is run_by_torch
    (line,) = messages
    assert re.fullmatch(
        r"Experts: torch's grouped products; our kernel differs by (9|10)\.\d% on this card", line
    )


def test_numbers_that_are_none_are_a_difference(monkeypatch):
    kernels = module.load_kernels()
    wrong = SimpleNamespace(**vars(kernels))
    wrong.sum_choices = lambda rows, dtype: kernels.sum_choices(rows, dtype) * torch.nan
    monkeypatch.setattr(module, "load_kernels", lambda: wrong)
    assert choose(make_model(), [*SEARCH, 2.5, 2.0])[0] is run_by_torch


def test_a_kernel_that_cannot_be_compiled_is_named_and_not_used():
    def measure_ms(run) -> float:
        raise RuntimeError("ptxas: unknown target\nand more")

    messages = []
    way = choose_experts(make_model(), messages.append, measure_ms=measure_ms, n_tokens=3)
    assert way is run_by_torch
    assert messages == [
        "Experts: torch's grouped products; our kernel cannot be used: no tile size can be used: "
        "ptxas: unknown target"
    ]


def test_nothing_is_measured_where_there_is_no_choice(monkeypatch):
    dense = make_model()
    dense.model.language_model.layers.pop()
    for model in (dense, make_model(torch.float32)):
        assert choose(model, []) == (run_by_torch, [])
    monkeypatch.setattr(module, "load_kernels", lambda: None)
    assert choose(make_model(), []) == (run_by_torch, [])


def test_a_way_that_runs_on_the_cpu_is_torchs(tiny, profile, scorer):
    assert scorer._thinker._run_experts is run_by_torch


@pytest.mark.gpu
def test_a_loaded_model_says_which_way_it_takes(tiny, profile):
    from ah_ray.config import Arithmetic
    from ah_ray.omni.scorer import OmniScorer

    messages = []
    OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.BF16, on_message=messages.append)
    (line,) = [message for message in messages if message.startswith("Experts: ")]
    assert "cannot be used" not in line and "differs" not in line
