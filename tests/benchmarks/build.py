"""A cold build of the default data root, and one with nothing to do.

Belongs here: what `make bench` prints of it. Not here: assertions; machines are shared and noisy.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).parent / "rga"), "build", "--warehouse", folder]
        for name in ("cold", "unchanged"):
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(f"rga build, {name}: " + next(line for line in said.splitlines() if line.startswith("Time")).split(maxsplit=1)[1])


if __name__ == "__main__":
    main()
