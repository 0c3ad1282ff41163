"""What a proof on a GPU has found so far, on disk after every row: results.json and results.md."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the proof: its rows come one by one, each as soon as it is known."""

    name: str
    run: Callable[[], Iterator[Row]]
    predicted: str = ""  # counted before anything ran; shown beside what was measured


class Record:
    """The rows of all phases. A phase that was finished by an earlier start is not run again."""

    def __init__(self, folder: Path, head: dict[str, str]):
        """Go on from the rows in `folder`, unless they come from another machine or commit."""
        folder.mkdir(parents=True, exist_ok=True)
        self._json, self._markdown = folder / "results.json", folder / "results.md"
        self._head = head
        self.phases: dict[str, dict[str, Any]] = {}
        if self._json.exists():
            earlier = json.loads(self._json.read_text(encoding="utf-8"))
            if earlier["head"] == head:
                self.phases = earlier["phases"]

    def run(self, phases: list[Phase], seconds: float) -> None:
        """Run the phases in order, until the time is over; one that fails costs only itself."""
        until = time.monotonic() + seconds
        for phase in phases:
            if self.phases.get(phase.name, {}).get("state") != "done":
                self._run_phase(phase, until)

    def _run_phase(self, phase: Phase, until: float) -> None:
        began = time.monotonic()
        found = {"state": "out of time", "predicted": phase.predicted, "rows": [], "seconds": 0.0}
        self.phases[phase.name] = found
        try:
            if began < until:
                for row in phase.run():
                    found["rows"].append(row)
                    self.write()
                    print(f"{phase.name}: {row}", flush=True)
                    if time.monotonic() > until:
                        break
                else:
                    found["state"] = "done"
        except Exception as error:  # the other phases are worth their minutes
            traceback.print_exc()
            found["state"] = f"failed: {type(error).__name__}: {str(error).splitlines()[:1]}"
        found["seconds"] = round(time.monotonic() - began, 1)
        self.write()

    def write(self) -> None:
        """Write both files, each whole."""
        text = json.dumps({"head": self._head, "phases": self.phases}, indent=1)
        for path, content in ((self._json, text), (self._markdown, self.format_markdown())):
            beside = path.with_suffix(".part")
            beside.write_text(content, encoding="utf-8")
            beside.replace(path)

    def format_markdown(self) -> str:
        """Return all phases as tables, under a head that says what they were measured on."""
        lines = [" · ".join(f"{name}: {value}" for name, value in self._head.items()), ""]
        for name, found in self.phases.items():
            lines += [f"## {name}", "", f"{found['state']}, {found['seconds']} s", ""]
            if found["predicted"]:
                lines += [f"Predicted: {found['predicted']}", ""]
            if found["rows"]:
                columns = list(dict.fromkeys(name for row in found["rows"] for name in row))
                lines += [format_line(columns), format_line(["---"] * len(columns))]
                lines += [format_line(row.get(c, "–") for c in columns) for row in found["rows"]]
                lines.append("")
        return "\n".join(lines)


def format_line(cells: Any) -> str:
    """Return one line of a Markdown table."""
    shown = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells)
    return f"| {' | '.join(shown)} |"
