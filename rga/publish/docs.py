"""The generated parts of docs/: what `make docs` writes.

Belongs here: which file holds what. Not here: how a text or picture is made (``dictionary``, ``chart``).
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from rga.microdata.catalogue import load_catalogue
from rga.publish.chart import gap_chart, save
from rga.publish.dictionary import dictionary


def main() -> None:
    repository = Path(__file__).resolve().parents[2]
    docs = repository / "docs"
    dimensions = load_catalogue(repository / "raw_data" / "catalogue").dimensions
    (docs / "data-dictionary.md").write_text(dictionary(dimensions), encoding="utf-8")
    with duckdb.connect(str(repository / "warehouse" / "rga.duckdb"), read_only=True) as release:
        chart = gap_chart(release, "UDW_INC_ANY", "Did unpaid domestic work grow more for women than for men?")
    save(chart, docs / "images" / "gap.png")


if __name__ == "__main__":
    main()
