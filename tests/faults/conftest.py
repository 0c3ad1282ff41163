"""What tests of faults borrow from those of decoding: edits of containers (tests/media)."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "media"))
