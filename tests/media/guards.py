"""The mark of tests that need a kernel with every guard of the cage."""

import pytest

from ah_ray.media.sandbox.cage import missing_guards

needs_guards = pytest.mark.skipif(
    bool(missing_guards()),
    reason=f"this kernel lacks {', '.join(missing_guards())}: run on Linux 5.13 or later, x86_64 "
    "or aarch64, with Landlock enabled",
)
