"""The groups furthest behind, of one survey's estimates as they are printed.

Belongs here: which cells are compared, and what groups are called. Not here: ranks and limits (``rga.survey.furthest_behind``).
"""

from __future__ import annotations

import pandas as pd

from rga.microdata.catalogue import Catalogue
from rga.survey.design import TOTAL
from rga.survey.furthest_behind import furthest_behind
from rga.warehouse.columns import FACTS


def furthest_behind_rows(estimates: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Rows of `furthest_behind` from those of `estimates`, with a label for people on each group."""
    directions = {code: item.direction for code, item in catalogue.indicators.items() if item.direction != "neutral"}
    table = furthest_behind(estimates, directions, catalogue.dimensions)
    table = table.merge(estimates[FACTS].drop_duplicates(), on="survey_id")
    words = {
        name: {item.sdmx.get(code, code): label for code, label in item.codes.items()}
        for name in catalogue.dimensions
        for item in [catalogue.columns[name]]
    }
    parts = [table[name].map(words[name] | {TOTAL: ""}).fillna(table[name]) for name in catalogue.dimensions]
    labels = [", ".join(part for part in row if part) for row in zip(*parts, strict=True)]
    return table.assign(group_label=pd.array(labels, dtype="str"))
