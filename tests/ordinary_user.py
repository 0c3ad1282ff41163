"""Doing something as a user who is not root, also where the tests are run by root."""

from __future__ import annotations

import encodings.utf_8_sig  # noqa: F401 (the child may not be able to read Python's own files)
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

_NOBODY = 65_534


def as_ordinary_user(action: Callable[[], Any], *opened: Path) -> Any:
    """What `action` returns, or raises, in a child that gives up root's rights.

    `opened` are folders that it may enter, with those above them.
    """
    if os.geteuid() != 0:
        return action()
    for folder in opened:
        for one in (folder, *folder.parents):
            if not one.stat().st_mode & 0o001:
                one.chmod(one.stat().st_mode | 0o055)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            try:
                result = (True, action())
            except Exception as error:
                result = (False, error)
            os.write(writer, pickle.dumps(result))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    done, result = pickle.loads(data)
    if done:
        return result
    raise result
