"""A further question with two answers in the place of the first one, to be judged as it is.

The score of a clip is the probability of the positive answer, the score of a video what the
question's own reducer makes of its clips, and the answer is Yes from 0.5 on. No calibration is
applied: they are fitted to the first question.
"""

from __future__ import annotations

from dataclasses import replace

from ah_ray.output.config import OutputConfig
from ah_ray.provenance.learned_from import Use
from ah_ray.study.evaluation.answers.schema import JudgedQuestion
from ah_ray.study.evaluation.scored_output import Row, ScoredOutput
from ah_ray.verdicts.reduction import Reduction
from ah_ray.verdicts.verdict import with_verdict


def judge_question(output: ScoredOutput, question: JudgedQuestion) -> ScoredOutput:
    """Return the output as if the question were its first one, asked by one model."""
    reduction = Reduction(reducer=output.config.questions[question.name].reducer)
    positive = (question.name, question.positive or "")
    return replace(
        output,
        config=forget_calibrations(output.config).model_copy(update={"reduction": reduction}),
        rows={
            video_id: with_verdict(_with_scores(row, *positive), reduction)
            for video_id, row in output.rows.items()
        },
    )


def forget_calibrations(config: OutputConfig) -> OutputConfig:
    """Return the configuration without the people to whom its calibrations were fitted.

    Calibrations have no part in the answers to further questions.
    """
    kept = tuple(one for one in config.learned_from if one.use is not Use.CALIBRATION)
    return config.model_copy(update={"learned_from": kept})


def _with_scores(row: Row, question: str, answer: str) -> Row:
    clips = [
        clip | {"p_ah": _find_p(clip, question, answer), "model_p_ah": None}
        for clip in row["clips"]
    ]
    return row | {"clips": clips}


def _find_p(clip: Row, question: str, answer: str) -> float | None:
    for one in clip["answers"] or ():
        if (one["question"], one["answer"]) == (question, answer):
            return float(one["p"])
    return None
