"""What replicas have to tell a person: a model that is copied or loaded, how long it took.

Their own output stays in Ray's logs, so sentences go by way of one small actor, which the driver
asks now and then. It keeps few of them, and each once: of a hundred replicas that load the same
weights, one is enough to know.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from ah_ray.omni.local_copy import Say

ASK_EVERY_S = 1.0
PATIENCE_S = 5.0
MAX_NOTICES = 64


@dataclass(frozen=True, slots=True)
class Messenger:
    """Says a sentence from any process of the run; it never fails for that.

    It waits until the board has it, `PATIENCE_S` at most: else last words would be lost when the
    run ends.
    """

    board: Any

    def __call__(self, text: str) -> None:
        with suppress(RayError):
            ray.get(self.board.pin.remote(text), timeout=PATIENCE_S)


class Notices:
    """While it is entered, what `messenger` is told anywhere reaches `say` in this process."""

    def __init__(self, say: Say):
        self._say = say
        self._over = threading.Event()
        self._board = ray.remote(_Board).options(num_cpus=0).remote()
        self._thread = threading.Thread(target=self._listen, name="notices", daemon=True)

    @property
    def messenger(self) -> Messenger:
        return Messenger(self._board)

    def __enter__(self) -> Notices:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=2 * PATIENCE_S)
        ray.kill(self._board)

    def _listen(self) -> None:
        over = False
        while not over:
            over = self._over.wait(ASK_EVERY_S)
            try:
                texts = ray.get(self._board.take.remote(), timeout=PATIENCE_S)
            except RayError:  # busy, or its node is lost: it is only talk
                continue
            for text in texts:
                self._say(text)


class _Board:
    """The actor where sentences wait to be read."""

    def __init__(self):
        self._seen: set[str] = set()
        self._new: list[str] = []

    def pin(self, text: str) -> None:
        if text not in self._seen and len(self._seen) < MAX_NOTICES:
            self._seen.add(text)
            self._new.append(text)

    def take(self) -> list[str]:
        texts, self._new = self._new, []
        return texts
