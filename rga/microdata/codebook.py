"""Where every harmonised answer came from: source column and code, what it became, and how many respondents gave it.

Belongs here: the trace of the harmonising. Not here: the harmonising itself (``harmonise``), labels for another language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from rga.microdata.catalogue import Catalogue
from rga.microdata.codes import canonical_code
from rga.microdata.harmonise import ANSWERED, numbered
from rga.microdata.specification import SurveySpecification
from rga.microdata.telling import publishable

COLUMNS = ["variable", "source_column", "source_label", "code", "code_label", "kind", "harmonised", "n"]
HIDE_BELOW = 5
Row = tuple[str, str, str]  # code, kind, harmonised
Labels = tuple[Mapping[str, str], Mapping[str, Mapping[str, str]]]


def codebook(
    source: pd.DataFrame,
    values: pd.DataFrame,
    kinds: pd.DataFrame,
    catalogue: Catalogue,
    specification: SurveySpecification,
    labels: Labels,
) -> pd.DataFrame:
    """One row for each harmonised column, source code and what it became.

    ``source``, ``values`` (harmonised) and ``kinds`` have a row per respondent; ``labels`` are the file's, of columns and codes.
    Columns: variable, source_column, source_label, code (empty: blank, or any number of a numeric variable), code_label, kind
    (`answered` or a kind of missing), harmonised (empty: missing, or a number), n. Codes that survey.yaml maps and nobody gave are
    there with n = 0.
    """
    rows: list[tuple] = []
    for name, mapping in specification.variables.items():
        variable = catalogue.variables[name]
        if mapping.value is not None:
            to = mapping.value if variable.codes else ""
            rows.append((name, "", f"given in survey.yaml: {mapping.value}", "", None, ANSWERED, to, len(source)))
            continue
        if mapping.separator:
            item_codes = {item: [code for code, to in mapping.codes.items() if to == item] for item in mapping.items}
            columns = {f"{name}_{item}": mapping.column for item in mapping.items}
        else:
            item_codes = {}
            columns = {name: mapping.column} if mapping.column else {f"{name}_{item}": c for item, c in mapping.columns.items()}
        for harmonised, column in columns.items():
            assert column is not None
            item = harmonised.removeprefix(f"{name}_")
            counts = _counts(source[column], values[harmonised], kinds[harmonised], bool(variable.codes))
            if mapping.separator:
                counts = _of_item(counts, set(item_codes[item]), mapping.separator)
            if not mapping.separator:
                counts.update({(code, ANSWERED, to): 0 for code, to in mapping.codes.items()})
                counts.update({(code, kind, ""): 0 for code, kind in mapping.missing.items()})
            of_codes = labels[1].get(column, {})
            rows += [
                (harmonised, column, labels[0].get(column), code, of_codes.get(code), kind, to, n)
                for (code, kind, to), n in sorted(counts.items())
            ]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame = frame.assign(**{name: frame[name].map(publishable) for name in ("source_column", "code")})
    return frame.astype({name: "Int64" if name == "n" else "string" for name in COLUMNS})


def _counts(answers: pd.Series, values: pd.Series, kinds: pd.Series, categorical: bool) -> Counter[Row]:
    """Respondents by source code, kind and harmonised code."""
    place, codes = numbered(answers)
    became, kind = (pd.factorize(column, use_na_sentinel=False) for column in (values if categorical else kinds, kinds))
    key = (place % len(codes)) * len(became[1]) * len(kind[1]) + became[0] * len(kind[1]) + kind[0]
    found: Counter[Row] = Counter()
    for at, n in zip(*np.unique(key, return_counts=True), strict=True):
        code = codes[at // (len(became[1]) * len(kind[1]))]
        of_kind, to = kind[1][at % len(kind[1])], became[1][at // len(kind[1]) % len(became[1])] if categorical else ""
        if of_kind == ANSWERED and not categorical:
            code = ""
        found[code, str(of_kind), "" if pd.isna(to) else str(to)] += int(n)
    return found


def _of_item(counts: Counter[Row], codes: set[str], separator: str) -> Counter[Row]:
    """``counts`` of answers such as `1 3 6`, by what in them speaks of one item."""
    found: Counter[Row] = Counter()
    for (answer, kind, to), n in counts.items():
        chosen = {canonical_code(part) for part in answer.split(separator)} & codes
        found[", ".join(sorted(chosen)) if kind == ANSWERED else answer, kind, to] += n
    return found


def with_small_counts_hidden(rows: pd.DataFrame, shown: Collection[str]) -> pd.DataFrame:
    """``rows`` of `codebook` without counts of 1 to 4 respondents who gave an answer, and without the next larger one of the column
    where a hidden count alone could be had by subtraction. Variables ``shown`` keep theirs: they are breakdowns, whose counts are
    published with every estimate."""
    answered = (rows["kind"] == ANSWERED) & ~rows["variable"].isin(shown)
    hidden = answered & rows["n"].between(1, HIDE_BELOW - 1)
    for _, of_column in rows[answered & rows["variable"].isin(rows.loc[hidden, "variable"])].groupby("variable"):
        if hidden[of_column.index].sum() == 1:
            others = of_column.loc[~hidden[of_column.index] & (of_column["n"] > 0), "n"]
            hidden[others.sort_values().index[:1]] = True
    return rows.assign(n=rows["n"].mask(hidden))
