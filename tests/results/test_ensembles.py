import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_rows import row, scoring

from ah_ray.config import Ensemble, Reduction, Windows
from ah_ray.errors import ConfigError, ErrorKind
from ah_ray.output.config import make_config
from ah_ray.records import VERDICT
from ah_ray.results.ensembles import combine_rows, ensemble_config
from ah_ray.verdicts.reduction import Scaling
from ah_ray.verdicts.verdict import MORE_THAN_HALF

MODELS = ("model-a", "model-b", "model-c")


def combine(how, videos, each=None, **fields):
    """The ensemble's row of one video, from each member's probabilities (None: no row)."""
    each = each or Reduction()
    models = [scoring(f"model-{n}") for n in range(len(videos))]
    together = each.model_copy(update={"ensemble": how})
    config = ensemble_config([make_config(model, each) for model in models], together)
    rows = [
        p_ah if p_ah is None else row("v", p_ah, by=model, **fields)
        for model, p_ah in zip(models, videos, strict=True)
    ]
    return combine_rows(rows, config)


def test_vote_by_hand():
    made = combine(Ensemble.VOTE, [[0.1, 0.6], [0.2, 0.3], [0.9, 0.1]])
    assert (made["p_ah"], made["answer"]) == (2 / 3, "Yes")
    assert (made["status"], made["error"]) == ("ok", None)
    assert made["reducer"] == "vote(any>=0.5)"
    assert [c["p_ah"] for c in made["clips"]] == [1 / 3, 1 / 3]
    assert [c["answer"] for c in made["clips"]] == ["No", "No"]
    assert [c["model_p_ah"] for c in made["clips"]] == [[0.1, 0.2, 0.9], [0.6, 0.3, 0.1]]
    assert (made["n_clips"], made["n_failed_clips"]) == (2, 0)
    assert (made["decode_s"], made["score_s"]) == (1.5, 1.5)


def test_mean_by_hand():
    made = combine(Ensemble.MEAN, [[0.1, 0.6], [0.2, 0.3], [0.9, 0.1]], Reduction(threshold=0.6))
    assert made["p_ah"] == pytest.approx((0.6 + 0.3 + 0.9) / 3)
    assert (made["answer"], made["reducer"], made["threshold"]) == ("Yes", "mean(any)", 0.6)
    assert [c["p_ah"] for c in made["clips"]] == pytest.approx([1.2 / 3, 1.0 / 3])
    assert [c["answer"] for c in made["clips"]] == ["No", "No"]


def test_each_member_is_reduced_first():
    made = combine(Ensemble.MEAN, [[0.0, 1.0], [0.5, 0.5]], Reduction(reducer="share"))
    assert made["p_ah"] == 0.75  # of 0.5 and 1.0


def test_a_tie_is_a_no():
    made = combine(Ensemble.VOTE, [[0.9], [0.1]])
    assert (made["p_ah"], made["answer"], made["threshold"]) == (0.5, "No", MORE_THAN_HALF)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=7), st.floats(0, 1))
def test_majority_and_mean_for_any_members(p, threshold):
    each = Reduction(threshold=threshold)
    yes = sum(x >= threshold for x in p)
    voted = combine(Ensemble.VOTE, [[x] for x in p], each)
    assert voted["p_ah"] == yes / len(p)
    assert voted["answer"] == ("Yes" if yes > len(p) - yes else "No")
    meant = combine(Ensemble.MEAN, [[x] for x in p], each)
    assert meant["p_ah"] == pytest.approx(sum(p) / len(p))
    assert meant["answer"] == ("Yes" if meant["p_ah"] >= threshold else "No")
    for made in (voted, meant):  # the same on both levels, as each video has one clip
        assert made["clips"][0]["p_ah"] == made["p_ah"]
        assert made["clips"][0]["answer"] == made["answer"]


def test_a_failed_member_is_left_out_and_named():
    made = combine(Ensemble.VOTE, [[0.9], ErrorKind.DECODE, [0.1]])
    assert (made["p_ah"], made["answer"]) == (0.5, "No")
    assert (made["status"], made["error_kind"]) == ("partial", "decode")
    assert made["error"] == "1 of 3 members left out (input 2 failed: it broke)"
    assert made["clips"][0]["model_p_ah"] == [0.9, None, 0.1]
    assert made["n_failed_clips"] == 0


def test_a_member_without_a_row_is_left_out_and_named():
    made = combine(Ensemble.MEAN, [None, [0.8], [0.6]])
    assert made["p_ah"] == pytest.approx(0.7)
    assert (made["status"], made["error_kind"]) == ("partial", None)
    assert made["error"] == "1 of 3 members left out (input 1 has no row of it)"
    assert made["clips"][0]["model_p_ah"] == [None, 0.8, 0.6]


def test_a_partial_member_counts():
    made = combine(Ensemble.MEAN, [[0.8, ErrorKind.SCORING], [0.6, 0.2]])
    assert made["p_ah"] == pytest.approx(0.7)
    assert (made["status"], made["error_kind"]) == ("partial", "scoring")
    assert made["error"].startswith("0 of 2 members left out (input 1 partial: clip 1 broke")
    assert made["clips"][1]["p_ah"] == 0.2
    assert made["clips"][1]["error_kind"] is None


def test_no_member_has_a_verdict():
    made = combine(Ensemble.VOTE, [ErrorKind.MISSING, [ErrorKind.DECODE]])
    assert (made["status"], made["error_kind"]) == ("failed", "missing")
    assert (made["p_ah"], made["answer"]) == (None, None)
    assert (made["n_clips"], made["n_failed_clips"]) == (1, 1)
    assert made["clips"][0]["error_kind"] == "decode"


def test_all_columns_but_the_run():
    made = combine(Ensemble.VOTE, [[0.9], [0.1]])
    assert set(made) == set(VERDICT.names) - {"run_id"}
    assert made["model"] == "model-0 + model-1"
    assert made["profile"] == "tiny"


def test_one_that_hides_names_hides_those_of_all():
    models = [scoring("model-a"), scoring("model-b")]
    members = [make_config(model, Reduction()) for model in models]
    config = ensemble_config(members, Reduction(ensemble=Ensemble.VOTE))
    told = row("v", ErrorKind.DECODE, by=models[0], uri="/c/anna.mp4", error="anna.mp4 is cut")
    hidden = row("v", [0.5], by=models[1], hide_uris=True)
    made = combine_rows([told, hidden], config)
    assert made["uri"] is None
    assert "anna" not in str(made)


def test_the_fingerprint_tells_members_order_and_kind_apart():
    a, b = (make_config(scoring(model), Reduction()) for model in MODELS[:2])
    prints = {
        ensemble_config(members, Reduction(ensemble=how)).config_fingerprint
        for how in Ensemble
        for members in ([a, b], [b, a])
    }
    assert len(prints) == 2 * len(Ensemble)
    assert all(len(found) == len(a.config_fingerprint) for found in prints)


def test_other_windows_do_not_fit():
    a = make_config(scoring(), Reduction())
    b = make_config(scoring(windows=Windows(hop_s=2.5)), Reduction())
    with pytest.raises(ConfigError, match=r"inputs 1 and 2 were cut into other windows"):
        ensemble_config([a, b], Reduction(ensemble=Ensemble.VOTE))


def test_mean_of_logits_by_hand():
    made = combine(Ensemble.MEAN_LOGIT, [[0.5, 0.9], [0.5], [0.5, 0.1]])
    # video: odds 9, 1, 1 → their geometric mean
    assert made["p_ah"] == pytest.approx(9 ** (1 / 3) / (1 + 9 ** (1 / 3)))
    assert made["answer"] == "Yes"
    assert [c["p_ah"] for c in made["clips"]] == pytest.approx([0.5, 0.5])
    assert made["reducer"] == "mean-logit(any)"
    assert combine(Ensemble.MEAN_LOGIT, [[1.0], [0.0]])["p_ah"] == pytest.approx(0.5)
    assert combine(Ensemble.MEAN_LOGIT, [[1.0], [1.0]])["p_ah"] == 1.0


MEMBERS = (
    Reduction(reducer="mean", threshold=0.4),
    Reduction(threshold=0.7, scaling=Scaling(slope=0.5)),
    Reduction(reducer="share", threshold=0.6),
)
"""A reducer, a scaling and a threshold of its own for each of three models."""


def test_each_member_with_its_own_calibration_by_hand():
    videos = [[0.1, 0.6], [0.1, 0.9], [0.9, 0.1]]
    made = combine(Ensemble.VOTE, videos, Reduction(members=MEMBERS))
    # mean 0.35 < 0.4: No; odds 9 → 3, 0.75 ≥ 0.7: Yes; share 1/2 < 0.6: No
    assert (made["p_ah"], made["answer"]) == (1 / 3, "No")
    assert made["reducer"] == "vote(mean>=0.4, any>=0.7, share>=0.6)"
    assert [c["p_ah"] for c in made["clips"]] == [1 / 3, 2 / 3]  # 0.9 at 0.5; 0.6 at 0.4, 0.75

    made = combine(Ensemble.MEAN, videos, Reduction(members=MEMBERS, threshold=0.55))
    assert made["p_ah"] == pytest.approx((0.35 + 0.75 + 0.5) / 3)
    assert (made["answer"], made["threshold"]) == ("No", 0.55)
    assert made["reducer"] == "mean(mean, any, share)"


def test_a_member_that_is_left_out_leaves_the_others_their_calibrations():
    made = combine(Ensemble.MEAN, [None, [0.9], [0.9]], Reduction(members=MEMBERS))
    assert made["p_ah"] == pytest.approx((0.75 + 1) / 2)
    assert combine(Ensemble.VOTE, [ErrorKind.DECODE] * 3, Reduction(members=MEMBERS))[
        "p_ah"
    ] is None  # fmt: skip
