"""The golden files are what R prints: each script is run again and writes the files that are committed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted(path.name for path in HERE.glob("make_golden*.R"))


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("Rscript"), reason="needs R with survey and metafor")
@pytest.mark.parametrize("script", SCRIPTS)
def test_running_an_r_script_again_reproduces_its_golden_files(script: str, tmp_path: Path) -> None:
    folder = shutil.copytree(HERE, tmp_path / "oracle", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "golden").iterdir()}
    done = subprocess.run(["Rscript", script], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    written = [path for path in (folder / "golden").iterdir() if path.stat().st_mtime_ns != before.get(path.name)]
    assert written
    for path in written:
        if path.name == "VERSION":
            continue
        now, then = (pd.read_csv(file) for file in (path, HERE / "golden" / path.name))
        # Another BLAS may round otherwise; iterations are told to stop at 1e-13.
        pd.testing.assert_frame_equal(now, then, rtol=1e-9, atol=1e-12, obj=path.name)
