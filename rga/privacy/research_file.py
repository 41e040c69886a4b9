"""A research file for SPSS, Stata or Parquet, labelled, with weights.

Belongs here: random ids and order, numbers for codes, labels, the three formats. Not here: what may be in the file (``anonymise``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat

from rga.privacy.anonymise import Column

Format = Literal["sav", "dta", "parquet"]
FORMATS: tuple[str, ...] = get_args(Format)
SIMULATED = "SIMULATED DATA: no real respondents, no finding"  # 64 characters at most, for SPSS
STATA_LABEL, SPSS_LABEL = 79, 250


def assembled(
    columns: dict[str, Column], weight: np.ndarray, replicates: np.ndarray, simulated: bool, seed: int | None
) -> dict[str, Column]:
    """All columns of the file in random order of the rows: a random id, whether it is simulated, weight, variables, replicates.

    Without ``seed`` chance comes from the operating system, and cannot be repeated.
    """
    size, rng = len(weight), np.random.default_rng(seed)
    order = rng.permutation(size)

    simulated_codes = {"1": "Simulated: no real respondent", "0": "Real"}
    found = {
        "respondent": Column("Random number of the respondent, not an id of the survey", pd.Series(rng.permutation(size) + 1.0)),
        "simulated": Column("Whether the data are simulated", pd.Series("1" if simulated else "0", range(size)), simulated_codes),
    }
    found["weight"] = Column("Weight, made of the released columns alone", pd.Series(weight))
    found |= columns
    for r in range(replicates.shape[1]):
        found[f"replicate_{r + 1}"] = Column(f"Bootstrap replicate weight {r + 1}", pd.Series(replicates[:, r]))
    # the ids are shuffled on their own: they tell neither the order of the source nor that of the file
    return {name: Column(c.label, c.values.iloc[order].reset_index(drop=True), c.codes, c.note) for name, c in found.items()}


def write(columns: dict[str, Column], path: Path, title: str, simulated: bool) -> None:
    """Write ``columns`` in the format that ``path`` ends in; simulated data say so in the label (and an SPSS note)."""
    label = SIMULATED if simulated else title
    if path.suffix == ".parquet":
        _parquet(columns, path, title, simulated)
        return
    numbers: dict[str, dict[str, int | float]] = {
        name: {code: place for place, code in enumerate(column.codes, 1)} for name, column in columns.items()
    }
    frame = pd.DataFrame(
        {
            name: column.values.map(numbers[name]).astype("float64") if column.codes else column.values
            for name, column in columns.items()
        }
    )
    values = {
        name: {n: column.codes[code] for code, n in numbers[name].items()} for name, column in columns.items() if column.codes
    }
    if path.suffix == ".sav":
        pyreadstat.write_sav(
            frame, path, file_label=label[:64], column_labels={n: c.label[:SPSS_LABEL] for n, c in columns.items()},
            variable_value_labels=values, note=SIMULATED if simulated else "", compress=False, row_compress=True,
            variable_measure={n: "nominal" if c.codes else "scale" for n, c in columns.items()},
        )  # fmt: skip
    else:
        pyreadstat.write_dta(
            frame, path, file_label=label[:STATA_LABEL], column_labels={n: c.label[:STATA_LABEL] for n, c in columns.items()},
            variable_value_labels=values, version=15,
        )  # fmt: skip


def _parquet(columns: dict[str, Column], path: Path, title: str, simulated: bool) -> None:
    """Codes as text; labels of columns and codes in the fields' metadata."""
    fields, arrays = [], []
    for name, column in columns.items():
        array = pa.array(
            column.values.astype("object").where(column.values.notna(), None), pa.string() if column.codes else pa.float64()
        )
        metadata = {"label": column.label, "codes": json.dumps(column.codes, ensure_ascii=False)}
        fields.append(pa.field(name, array.type, metadata=metadata))
        arrays.append(array)
    about = {"title": title, "simulated": SIMULATED if simulated else "no"}
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=about)), path, compression="zstd")
