"""What reduce_outputs refuses, before anything is written; the rest is in tests/jobs."""

import pytest
from invented_rows import make_output, scoring

from ah_ray.config import Ensemble, Reduction, Windows
from ah_ray.errors import ConfigError
from ah_ray.output.config import read_config
from ah_ray.output.read import read_verdicts
from ah_ray.profile import load_profile
from ah_ray.results.reduce import reduce_outputs


@pytest.fixture
def scores(tmp_path):
    """Outputs of three models."""
    outputs = [str(tmp_path / f"scores-{number}") for number in range(3)]
    for number, out in enumerate(outputs):
        make_output(out, {"a": [0.1, 0.6], "b": [0.9]}, by=scoring(f"model-{number}"))
    return outputs


@pytest.fixture
def out(tmp_path):
    return str(tmp_path / "out")


def reduce(inputs, out, **reduction):
    return reduce_outputs(inputs, out, reduction=Reduction(**reduction))


@pytest.fixture
def refused(out):
    """Refuses, with these words, and leaves OUT as it was."""

    def check(inputs, words, to=out, **how):
        before = read_config(to)
        with pytest.raises(ConfigError, match=words):
            reduce(inputs, to, **how)
        assert read_config(to) == before

    return check


def test_in_place(scores, refused):
    refused(scores[:1], "is an input", to=f"{scores[0]}/")


def test_named_twice(scores, refused):
    refused([scores[0], f"{scores[0]}/"], "named twice")


def test_one_is_no_ensemble(scores, refused):
    refused(scores[:1], "two inputs or more", ensemble=Ensemble.MEAN)


def test_an_ensemble_of_ensembles(scores, refused, tmp_path):
    reduce(scores[:2], str(tmp_path / "vote"))
    refused([str(tmp_path / "vote"), scores[2]], r"is an ensemble itself \(vote of 2 outputs\)")


def test_out_of_another_reducer(scores, refused, out):
    reduce(scores[:1], out, reducer="mean")
    refused(scores[:1], r"reducer mean → any")
    assert read_verdicts(out)["reducer"].to_pylist() == ["mean", "mean"]


def test_out_of_another_model(scores, refused, out):
    reduce(scores[:1], out)
    refused(scores[1:2], r"print-of-model-0 → print-of-model-1.*choose another --out$")


def test_out_of_another_ensemble(scores, refused, out):
    reduce(scores[:2], out)
    refused(scores, r"\(vote of 2 outputs → vote of 3 outputs\)")
    refused(scores[:1], r"\(vote of 2 outputs → model model-0, profile tiny\)")


def test_different_content(scores, refused):
    make_output(scores[1], {"a": [0.9], "b": [0.8]}, by=scoring("model-1"), etag="etag-2")
    refused(scores, r"different content of 2 videos \(a, b\)")


def test_a_video_that_was_missing_is_no_different_content(scores, out):
    make_output(scores[1], {"a": [0.9], "b": [0.8]}, by=scoring("model-1"), etag=None)
    reduce(scores, out)
    assert read_verdicts(out)["etag"].to_pylist() == ["etag-1", "etag-1"]


def test_different_windows(scores, refused, tmp_path):
    other = scoring("model-9", windows=Windows(hop_s=2.5))
    make_output(str(tmp_path / "other"), {"a": [0.9]}, by=other)
    refused([scores[0], str(tmp_path / "other")], "other windows")


def test_no_video_in_common(scores, refused, tmp_path):
    """A vote of one model each would look like a vote of all."""
    other = str(tmp_path / "other")
    make_output(other, {"c": [0.9], "d": [0.1]}, by=scoring("model-9"))
    words = rf"{other} has no video in common with the other inputs.*same cohort"
    refused([scores[0], other][::-1], words)
    refused([*scores, other], words)


def test_some_videos_in_common(scores, out, tmp_path):
    other = str(tmp_path / "other")
    make_output(other, {"b": [0.9], "c": [0.1], "d": [0.1]}, by=scoring("model-9"))
    reduced = reduce([scores[0], other], out)
    assert reduced.notes == {"only in some inputs": 3, "not in input 1": 2, "not in input 2": 1}


def test_in_the_middle_of_a_rescore(scores, refused, tmp_path):
    seed = scoring(profile=load_profile("seed"))
    changes = {"scoring": seed, "config_fingerprint": seed.fingerprint}
    config = read_config(scores[0]).model_copy(update=changes)
    (tmp_path / "scores-0" / "config.json").write_text(config.model_dump_json())
    refused(scores[:1], "in the middle of a --rescore")


def test_a_damaged_input(scores, refused, tmp_path):
    (tmp_path / "scores-0" / "config.json").write_text("{")
    refused(scores[:1], "damaged")


def test_a_damaged_table(scores, refused, tmp_path):
    (tmp_path / "scores-0" / "verdicts.parquet").write_bytes(b"PAR1")
    refused(scores[:1], "verdicts.parquet is damaged")


def test_where_nothing_can_be_written(scores, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"cannot be written to|--out"):
        reduce(scores, str(tmp_path / "file" / "out"))
