"""Format the model card: what was trained, on what data, how, and with what measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PURPOSE = (
    "A screening aid for trained people, not a diagnosis; judge it on your own cohort before you "
    "rely on it."
)


def format_model_card(about: dict[str, Any]) -> str:
    """Return Markdown with the facts of training.json; no paths, no names of people or files."""
    settings, labels, best = about["settings"], about["labels"], about["best"]
    return "\n".join(
        [
            f"# {about['base']['name']}, {settings['method']}",
            "",
            f"Answers whether a clip of at most {settings['longest_window_s']:g} s shows "
            f"ambivalence/hesitancy (Yes or No). {about['purpose']}",
            "",
            "## Trained from",
            "",
            f"- base: {about['base']['name']}, fingerprint `{about['base']['fingerprint']}`",
            f"- labels: {labels['train_windows']:,} windows of {labels['train_participants']:,} "
            f"participants, fingerprint `{labels['fingerprint']}`; "
            f"{labels['val_windows']:,} windows to validate",
            f"- profile: `{settings['profile']}`",
            *_format_questions(labels.get("questions", {})),
            "",
            "## Settings",
            "",
            "| setting | value |",
            "| --- | --- |",
            *(f"| {name} | {value} |" for name, value in settings.items() if value is not None),
            "",
            "## Measures on the split `val`",
            "",
            f"After step {best['step']:,} of {about['steps']:,}, the best by macro-F1 of windows "
            "and videos.",
            "",
            "| measure | value |",
            "| --- | ---: |",
            *(
                f"| {name} | {value:.4f} |"
                for name, value in best["measures"].items()
                if isinstance(value, float)
            ),
            *(
                f"| {one['question']}: {name} | {one[name]:.4f} |"
                for one in best["measures"].get("questions", ())
                for name in ("accuracy", "macro_f1")
            ),
            "",
            "## Made with",
            "",
            *(f"- {name} {version}" for name, version in about["versions"].items()),
            "",
        ]
    )


def _format_questions(n_windows: Mapping[str, int]) -> list[str]:
    """Return a line about the questions that were learned; none if that was the first one only."""
    if not n_windows:
        return []
    each = ", ".join(f"{name} ({n:,} windows)" for name, n in n_windows.items())
    return [f"- questions learned: {each}; what else the profile asks was not"]
