"""Loads all of PyAV at once, for processes that cannot open a file later."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import av


def load_all_of_av() -> None:
    """Import every part of av, since it imports some when they are first used."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
