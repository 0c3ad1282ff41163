"""Print how far figures may be trusted: the plan, the looks at test, and the gate."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from ah_ray.cli.screen import print_table, say
from ah_ray.study.evaluation.schema import Analysis, Gate, Planned
from ah_ray.study.evaluation.validity.planned import planned_estimate
from ah_ray.study.evaluation.view.text import (
    SCALE_NAMES,
    format_estimate,
    format_number,
    name_measures,
)

_SUPPORTED = {True: "supported", False: "not supported", None: "not decided: no interval"}


def print_analysis(
    console: Console, analysis: Analysis, construct: str, question: str | None = None
) -> None:
    """Print the plan, the looks, and the figures and hypotheses that the plan asked for."""
    say(console, *analysis_lines(analysis, question))
    for planned in analysis.planned:
        _print_planned(console, planned, name_measures(construct) | SCALE_NAMES)


def analysis_lines(analysis: Analysis, question: str | None = None) -> Iterator[str]:
    """Yield one sentence on the plan, and one on the looks at test; None: of the verdicts."""
    if analysis.kind == "locked":
        yield (
            f"Plan {analysis.plan_hash}, locked on {analysis.locked_at} before the first look at "
            "test."
        )
    elif analysis.kind == "exploratory":
        yield f"EXPLORATORY: {analysis.reason}. Plan {analysis.plan_hash}."
    if analysis.look is not None:
        planned = "" if analysis.plan_hash else "; no plan was locked (--plan)"
        of = f", at the answers to {question}" if question else ""
        yield f"This is look {analysis.look} at test{of}{planned}."


def _print_planned(console: Console, planned: Planned, names: dict[str, str]) -> None:
    say(
        console,
        "",
        f"{planned.out}, as planned: {planned.reducer}, {_describe_answers(planned)}",
    )
    rows = [
        [names[name], format_estimate(planned_estimate(planned.measures, name))]
        for name in planned.asked
    ]
    for group in planned.groups:
        for name in planned.asked:
            found = None if group.measures is None else getattr(group.measures, name)
            rows.append([f"{names[name]}, {group.by} {group.group}", format_estimate(found)])
    print_table(console, ("<", "planned"), rows)
    for one in planned.hypotheses:
        say(
            console,
            f"Hypothesis: {one.text} ({names[one.measure]} against {one.limit:g}: "
            f"{format_number(one.value)}): {_SUPPORTED[one.is_supported]}.",
        )


def _describe_answers(planned: Planned) -> str:
    if planned.threshold is None:
        return planned.threshold_rule
    return f"threshold {planned.threshold_rule} ({planned.threshold!r})"


def print_gate(console: Console, gate: Gate) -> None:
    """Print the decision, and what it rests on."""
    say(console, *gate_lines(gate))


def gate_lines(gate: Gate) -> Iterator[str]:
    """Yield the decision in one line, and a line for each reason against the new model."""
    decision = "BETTER: it may take the place of" if gate.is_better else "NOT BETTER: keep"
    yield f"Gate: {gate.new} is {decision} {gate.old}."
    if gate.difference is not None:
        found = format_estimate(gate.difference, "+.3f")
        yield f"Difference of macro-F1 on {gate.split}, paired over participants: {found}."
    for reason in gate.reasons:
        yield f"Why not: {reason}."
