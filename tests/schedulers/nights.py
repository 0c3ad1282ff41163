"""What the runners of all tools share. Runs where nothing of this project is installed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator


def each_night() -> Iterator[None]:
    """Set what the stand-in for `ah-ray` reads, once for each night of the first argument."""
    for statuses in json.loads(sys.argv[1]):
        texts = [str(status) for status in statuses]
        os.environ["STATUSES"], os.environ["CALLS"] = " ".join(texts), f"calls-{'-'.join(texts)}"
        yield


def print_end(name: str, alerted: bool) -> None:
    print("NIGHT", name, alerted, flush=True)
