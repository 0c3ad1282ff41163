"""Messages of actors for the user: a model is copied or loaded, and how long that took.

The output of actors stays in Ray's logs, so messages pass through one small actor, which the
driver asks now and then. It keeps few messages, and each once: if a hundred replicas load the same
weights, one message is enough.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from ah_ray.interfaces.callbacks import MessageCallback

ASK_EVERY_S = 1.0
PATIENCE_S = 5.0
MAX_NOTICES = 64


@dataclass(frozen=True, slots=True)
class Messenger:
    """Sends a message from any process of the run, and never raises.

    It waits until the board has the message, `PATIENCE_S` at most. Otherwise the last messages
    would be lost when the run ends.
    """

    board: Any

    def __call__(self, text: str) -> None:
        with suppress(RayError):
            ray.get(self.board.pin.remote(text), timeout=PATIENCE_S)


class Notices:
    """Passes messages sent by `messenger` in any process to `say` in this one, while entered."""

    def __init__(self, say: MessageCallback):
        self._say = say
        self._over = threading.Event()
        self._board: Any = ray.remote(_Board).options(num_cpus=0).remote()
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
            except RayError:  # busy, or its node is lost: messages are not essential
                continue
            for text in texts:
                self._say(text)


class _Board:
    """The actor that holds messages until the driver reads them."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._new: list[str] = []

    def pin(self, text: str) -> None:
        if text not in self._seen and len(self._seen) < MAX_NOTICES:
            self._seen.add(text)
            self._new.append(text)

    def take(self) -> list[str]:
        texts, self._new = self._new, []
        return texts
