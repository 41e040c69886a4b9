"""A cold build of the default data root, and one with nothing to do.

Belongs here: what `make bench` prints of it. Not here: assertions; machines are shared and noisy.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).parent / "rga"), "build", "--warehouse", folder]
        for name in ("cold", "unchanged"):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            print(f"rga build, {name}: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
