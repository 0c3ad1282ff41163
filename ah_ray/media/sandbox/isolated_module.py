"""Runs a module of this package in a Python process that takes nothing from its surroundings.

    python -I [-S] isolated_module.py MODULE ARGUMENT…

calls `main([ARGUMENT, …])` of the module. Isolated mode reads no environment variable and no
current folder, so the package is found by where this file lies: it is the one that the parent runs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def isolated_command(module: str, *arguments: str, packages: bool) -> list[str]:
    """Return the command that runs `module`; without `packages` it sees the standard library only,
    which starts sooner."""
    flags = ["-I"] if packages else ["-I", "-S"]
    return [sys.executable, *flags, __file__, module, *arguments]


def main(arguments: list[str]) -> None:
    """Import the package that this file is part of, and run the module."""
    folder = Path(__file__).parents[2]
    spec = spec_from_file_location(
        "ah_ray", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules["ah_ray"] = package = module_from_spec(spec)
    spec.loader.exec_module(package)
    module, *rest = arguments
    import_module(module).main(rest)


if __name__ == "__main__":
    main(sys.argv[1:])
