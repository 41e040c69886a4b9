"""An empty data root, ready for its first survey: what `rga init` makes.

Belongs here: which files a new root has. Not here: reading a root (``data_root``).
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from rga.errors import InputError, Problem

TEMPLATES = Path(__file__).parent / "templates"
TEMPLATE, README = "survey-template.yaml", "README.md"


def create(folder: Path, model: Path, year: int | None = None) -> None:
    """Make ``folder`` a data root with the catalogue and benchmarks of ``model``, a first round and no survey.

    What stands in ``folder`` already is left alone. Raises InputError, before anything is written, where something is in the way.
    """
    year = year or date.today().year
    first_round = f"{year}-r1"
    names = ["catalogue", "benchmarks", first_round, TEMPLATE, README]
    if taken := [name for name in names if (folder / name).exists()]:
        what = f"already has {', '.join(taken)}, which is not overwritten"
        raise InputError(Problem(what, "name a new folder, such as rga init my_data", file=str(folder.resolve())))
    for name in ("catalogue", "benchmarks"):
        shutil.copytree(model / name, folder / name)
    shutil.copy(TEMPLATES / TEMPLATE, folder / TEMPLATE)
    text = (TEMPLATES / README).read_text(encoding="utf-8").format(round=first_round, root=folder.resolve().name)
    (folder / README).write_text(text, encoding="utf-8")
    (folder / first_round).mkdir()
    (folder / first_round / "round.yaml").write_text(
        f'# The folder is named after the round: year-rN.\ntitle: Surveys of {year}\nyear: {year}\npublication: ""\nnotes: ""\n',
        encoding="utf-8",
    )
