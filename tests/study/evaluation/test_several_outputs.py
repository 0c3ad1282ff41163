"""Several outputs side by side, and outputs that were formed from others."""

import pytest
from invented_rows import make_output
from study.invented_study import make_scores

from ah_ray.config import Ensemble, Reduction
from ah_ray.errors import ConfigError
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.verdicts.reduction import Scaling

HOW = Bootstrap(draws=200)


def test_two_outputs_are_compared(study, scores, tmp_path):
    better = make_scores(tmp_path / "b", study, knows=2.0, model="model-b", seed=1)
    found = evaluate([scores, better], study.labels, bootstrap=HOW)
    (comparison,) = found.comparisons
    a, b = (output.scored for output in found.outputs)
    assert comparison.macro_f1.value == pytest.approx(b.macro_f1.value - a.macro_f1.value)
    assert comparison.macro_f1.low > 0 and comparison.mcnemar_p < 0.01
    with pytest.raises(ConfigError, match="named twice"):
        evaluate([scores, f"{scores}/"], study.labels, bootstrap=HOW)


def test_outputs_of_different_content_are_not_compared(study, tmp_path):
    first, second = (video["video_id"] for video in study.of("test")[:2])
    outs = [str(tmp_path / name) for name in "ab"]
    for out, etag in zip(outs, ("etag-1", "etag-2"), strict=True):
        make_output(out, {first: [0.2], second: [0.7]}, etag=etag)
    with pytest.raises(ConfigError, match=f"content of 2 labelled videos \\({first}, {second}\\)"):
        evaluate(outs, study.labels, bootstrap=HOW)


def test_an_ensemble_and_a_calibrated_output(study, scores, tmp_path):
    """Reducers start from bare clips; what stands in the rows is measured as it stands."""
    other = make_scores(tmp_path / "b", study, model="model-b", seed=1)
    out = str(tmp_path / "mean")
    reduce_outputs([scores, other], out, reduction=Reduction(ensemble=Ensemble.MEAN))
    (mean,) = evaluate([out], study.labels, bootstrap=HOW).outputs
    assert (mean.reducer, mean.model) == ("mean(any)", "model-a + model-b")
    assert mean.reducers[0].at_half == mean.scored
    assert mean.reducers[1].at_half != mean.scored

    scaled = Reduction(scaling=Scaling(slope=0.5, intercept=-1), calibration_fingerprint="c" * 16)
    reduce_outputs([scores], str(tmp_path / "scaled"), reduction=scaled)
    (plain,) = evaluate([scores], study.labels, bootstrap=HOW).outputs
    (found,) = evaluate([str(tmp_path / "scaled")], study.labels, bootstrap=HOW).outputs
    assert found.reducers == plain.reducers
    assert found.calibration_fingerprint == "c" * 16
    assert found.scored != plain.scored
    assert found.scored.average_precision == plain.scored.average_precision  # the order is kept
