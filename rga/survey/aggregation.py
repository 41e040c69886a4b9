"""The one pass over respondents: sums of weights by survey, stratum, PSU and cell, for every statistic at once.

Belongs here: the query, and adding up its rows. Not here: what is summed of a respondent (``summands``), what the sums are
(``sums``) or give, where respondents are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from rga.errors import InputError, Problem
from rga.survey.blas import one_blas_thread
from rga.survey.data import FLOATS, known, quoted, require
from rga.survey.design import MISSING, Design, shown
from rga.survey.fpc import Sizes, fractions
from rga.survey.grouping import Coder, Known, Table, group, keys, sum_by
from rga.survey.sample import NEGATIVE, not_a_weight
from rga.survey.statistics import Statistic, check, columns_of
from rga.survey.summands import Summands, Values
from rga.survey.sums import ByMargin, Crossing, Margins, Sums

BATCH = 245_760  # rows: two row groups as DuckDB writes them
BUFFER = "32MB"  # more than a batch, so that DuckDB's other threads do not wait for it to be taken
INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")  # whose text is the same in Python as in SQL
FEW = 64  # texts of a column that are looked up one by one
UNITS = ("survey", "stratum", "psu")
STRATA = ("survey", "stratum")
STAGED = Design(weight="weight", stratum="stratum", psu="psu")


@one_blas_thread
def aggregate(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    statistics: Sequence[Statistic],
    breakdowns: Sequence[tuple[str, ...]],
    design: Design = STAGED,
    survey: str | None = "survey_id",
    batch: int = BATCH,
) -> Sums:
    """Read ``relation`` once, ``batch`` respondents at a time, and sum over every cell of every breakdown in every PSU.

    ``relation`` is a table or view with the columns of ``design``, the dimensions of ``breakdowns``, whatever the statistics name
    (any but quantiles, which sums do not give), and ``survey``, which tells surveys apart (None: it is one). A respondent without
    weight is not in the sample; one without PSU is a PSU of its own; strata that are NULL are one. Memory is that of a batch
    and of the sums, whatever the number of respondents. The same rows in the same order give the same bits. Raises InputError where
    a column is not there, an expression does not fit, a weight is not finite, or negative and not made so by calibration, or a
    stratum's fpc cannot be (`rga.survey.fpc`).
    """
    if design.ssu or design.replicates or design.numbers:
        raise ValueError("two stages, continuous margins and replicate weights take passes of their own: see `tabulate`")
    check(con, relation, statistics)
    columns = [(statistic, *column) for statistic in statistics for column in columns_of(con, relation, statistic)]
    if not columns:
        raise ValueError("no statistic to estimate")
    summands = Summands.of([(statistic, y, x) for statistic, _, y, x in columns])
    passed = _Pass(summands, breakdowns, design, survey, *_looked_at(con, relation, breakdowns, design, survey))
    con.execute(f"SET streaming_buffer_size = '{BUFFER}'")
    try:
        reader = con.execute(passed.sql(relation)).to_arrow_reader(batch)
        with ThreadPoolExecutor(1) as pool:  # DuckDB makes a batch while the one before is added up
            coming = pool.submit(next, reader, None)
            while (part := coming.result()) is not None:
                coming = pool.submit(next, reader, None)
                passed.take(part)
    finally:
        con.execute("RESET streaming_buffer_size")
    if not passed.people.pieces:
        passed.take(pa.RecordBatch.from_pylist([], reader.schema))
    return passed.sums(tuple(statistic for statistic, *_ in columns), tuple((s.code, category) for s, category, *_ in columns))


def _looked_at(
    con: duckdb.DuckDBPyConnection, relation: str, breakdowns: Sequence[tuple[str, ...]], design: Design, survey: str | None
) -> tuple[bool, bool, dict[str, Known]]:
    """Whether somebody has no PSU, whether a weight is negative, and the texts of each column that the pass groups by and that has
    few, or whose type names them: reading these alone takes a small part of the time that the pass takes."""
    dimensions = dict.fromkeys(name for by in breakdowns for name in by)
    named = dict.fromkeys(name for name in (survey, design.stratum, design.psu, *dimensions, *design.margins) if name)
    types = require(con, relation, [*named, design.weight, design.fpc, design.base_weight])
    texts = [name for name in named if types[name] == "VARCHAR" and name != design.psu]
    no_psu = "TRUE"
    if design.psu:
        no_psu = f"count(*) > count({known(design.psu) if types[design.psu] in FLOATS else quoted(design.psu)})"
    negative = f"coalesce(min({quoted(design.weight)}) < 0, FALSE)" if design.weight and design.base_weight else "count(*) < 0"
    sample = f"WHERE {quoted(design.weight)} IS NOT NULL" if design.weight else ""
    distinct = "".join(f", list(DISTINCT {quoted(name)})" for name in texts)
    ((alone, below, *found),) = con.execute(f"SELECT {no_psu}, {negative}{distinct} FROM {relation} {sample}").fetchall()
    values = {name: sorted(set(many or []) - {None}) for name, many in zip(texts, found, strict=True)}
    coded = {name: Known(few) for name, few in values.items() if len(few) <= FEW}
    for name in (name for name in (*dimensions, *design.margins) if types[name] not in ("VARCHAR", *INTEGERS)):
        coded[name] = Known(cast=True)
    for name in (name for name in named if types[name].startswith("ENUM(")):
        ((of_type,),) = con.execute(f"SELECT enum_range(CAST(NULL AS {types[name]}))").fetchall()
        coded[name] = Known(of_type, enum=True)
    return bool(alone), bool(below), coded


class _Pass:
    """The state of one pass: numbers given to values so far, and sums so far."""

    def __init__(
        self,
        summands: Summands,
        breakdowns: Sequence[tuple[str, ...]],
        design: Design,
        survey: str | None,
        alone: bool,
        negative: bool,
        coded: dict[str, Known],
    ) -> None:
        self.summands, self.design, self.survey = summands, design, survey
        # A PSU's sum of weights does not tell whether it has anybody where some are negative; that of their squares does.
        self.squared = alone or negative
        # A breakdown whose dimensions another has, in another order, has its groups.
        self.breakdowns = list(dict.fromkeys(breakdowns))
        self.dimensions = list(dict.fromkeys(name for by in self.breakdowns for name in by))
        self.margins = [f"m{j}" for j in range(len(design.margins))] if design.base_weight else []
        missing = {"survey": "", "stratum": "", "psu": None} | dict.fromkeys([*self._cells, *self.margins], MISSING)
        self.columns = {name: column for name, column in zip(UNITS, (survey, design.stratum, design.psu), strict=True) if column}
        self.columns |= zip(self._cells, self.dimensions, strict=True)
        self.columns |= zip(self.margins, design.margins, strict=bool(self.margins))
        self.coders = {name: Coder(text, coded.get(self.columns.get(name, ""))) for name, text in missing.items()}
        self.tables, self.counts, self.fits = ({frozenset(by): Table() for by in self.breakdowns} for _ in range(3))
        self.joint = Table()
        self.people = Table()
        self.sizes = Sizes()

    @property
    def _cells(self) -> list[str]:
        return [f"d{j}" for j in range(len(self.dimensions))]

    def sql(self, relation: str) -> str:
        """One row per respondent: plain SQL that any engine runs."""
        keys = [f"{self.coders[name].sql(quoted(column))} AS {name}" for name, column in self.columns.items()]
        weight = f"CAST({quoted(self.design.weight)} AS DOUBLE)" if self.design.weight else "CAST(1 AS DOUBLE)"
        numbers = {"fpc": self.design.fpc, "base": self.design.base_weight}
        given_numbers = [f"CAST({quoted(column)} AS DOUBLE) AS {name}" for name, column in numbers.items() if column]
        selected = ",\n  ".join([*keys, f"{weight} AS w", *given_numbers, *self.summands.select])
        return f"SELECT\n  {selected}\nFROM {relation}\nWHERE {weight} IS NOT NULL"

    def take(self, part: pa.RecordBatch) -> None:
        """Add a batch of respondents."""
        rows = part.num_rows
        present = set(part.schema.names)
        codes = {
            name: coder.codes(part.column(name) if name in present else pa.nulls(rows, pa.string()))
            for name, coder in self.coders.items()
        }
        w = part.column("w").to_numpy()
        base = np.zeros(rows)
        if "base" in present:
            base = np.nan_to_num(part.column("base").to_numpy(zero_copy_only=False).astype(np.float64))
        _check_weights(w, base, codes["survey"], self.coders["survey"], self.design.weight or "weight")
        if "fpc" in present:
            self.sizes.add(codes["survey"], codes["stratum"], part.column("fpc").to_numpy(zero_copy_only=False))
        values = self.summands.values(part)
        counted = (w != 0).astype(np.float64)
        squares = [w * w] if self.squared else []
        finest, first = group([codes[name] for name in (*UNITS, *self.margins, *self._cells)])
        of_finest = {name: column[first] for name, column in codes.items()}
        for name, coder in self.coders.items():
            coder.saw(of_finest[name])
        _add(self.people, [of_finest[name] for name in UNITS], finest, [np.ones(rows), w, counted])
        self._take_cells(of_finest, finest, values, UNITS, self.tables, [w, *squares])
        of_finest["alone"] = (of_finest["psu"] == self.coders["psu"].null).astype(np.int64)
        self._take_cells(of_finest, finest, values, (*STRATA, "alone"), self.counts, [None if counted.all() else counted])
        if "base" in present:
            _add(self.joint, [of_finest[name] for name in (*UNITS, *self.margins)], finest, [w, w * w, base])
            self._take_cells(of_finest, finest, values, (*STRATA, "alone", *self.margins), self.fits, [base, *squares])

    def _take_cells(
        self,
        codes: dict[str, np.ndarray],
        finest: np.ndarray,
        values: Values,
        units: tuple[str, ...],
        tables: dict[frozenset[str], Table],
        scales: list[np.ndarray | None],
    ) -> None:
        """Add to the sums by ``units`` and each breakdown's cells. ``finest`` is each respondent's group by all there is, of which
        ``codes`` are."""
        made: dict[frozenset[str], tuple[dict[str, np.ndarray], list[np.ndarray]]] = {}
        code, row = group([codes[name] for name in (*units, *self._cells)])
        if len(row) < len(finest) / 2:  # many respondents a cell: every breakdown adds up their sums
            sums = [values.sums(code[finest], len(row), scale) for scale in scales]
            made[frozenset(self.dimensions)] = {name: column[row] for name, column in codes.items()}, sums
        for by in sorted(tables, key=len, reverse=True):
            finer = [found for other, found in made.items() if by <= other]
            source, sums = min(finer, key=lambda found: len(found[1][0]), default=(codes, []))
            columns = [source[name] for name in (*units, *self._names(by))]
            code, row = group(columns)
            if finer:
                sums = [sum_by(code, len(row), array) for array in sums]
            else:
                sums = [values.sums(code[finest], len(row), scale) for scale in scales]
            made[by] = {name: column[row] for name, column in source.items()}, sums
            tables[by].add(np.column_stack([column[row] for column in columns]), list(sums))

    def _names(self, by: frozenset[str]) -> list[str]:
        return [f"d{j}" for j, dimension in enumerate(self.dimensions) if dimension in by]

    def sums(self, statistics: tuple[Statistic, ...], names: tuple[tuple[str, str], ...]) -> Sums:
        """Everything taken, sorted; the tables are used up."""
        sorted_ = {name: coder.sorted() for name, coder in self.coders.items()}
        place = {name: places for name, (places, _) in sorted_.items()}
        texts = {name: np.array(found, dtype=object) for name, (_, found) in sorted_.items()}
        codes, (people,) = self.people.compact([place[name] for name in UNITS])
        new_stratum = changes(codes[:, :2])
        stratum = np.cumsum(new_stratum) - 1
        no_psu = np.array([psu is None for psu in texts["psu"]], dtype=bool)
        alone = no_psu[codes[:, 2]]
        of_survey = sum_by(codes[:, 0], len(texts["survey"]), people)
        psus = np.bincount(stratum, weights=np.where(alone, people[:, 0], 1), minlength=int(new_stratum.sum())).astype(np.int64)
        strata = pd.DataFrame(
            {
                "survey_id": texts["survey"][codes[new_stratum, 0]],
                "name": texts["stratum"][codes[new_stratum, 1]],
                "psus": psus,
            }
        )
        strata["fraction"] = 0.0
        if self.design.fpc:
            least, most = self.sizes.of(codes[new_stratum, :2], place["survey"], place["stratum"])

            def label(h: int) -> str:
                return f"{strata['survey_id'][h]} {shown(strata['name'][h])}".strip()

            strata["fraction"] = fractions(psus, least, most, self.design.fpc, label)
        margins = self._margins(place, texts) if self.design.base_weight else None
        crossings = {by: self._crossing(by, place, no_psu, margins) for by in self.tables}
        return Sums(
            statistics=statistics,
            names=names,
            summands=self.summands,
            surveys=tuple(texts["survey"]),
            categories={dimension: texts[name] for name, dimension in zip(self._cells, self.dimensions, strict=True)},
            psus={"survey": codes[:, 0], "stratum": stratum, "alone": alone, "respondents": people[:, 0]},
            strata=strata,
            cases=of_survey[:, 2],
            total_weight=of_survey[:, 1],
            crossings={by: crossings[frozenset(by)] for by in self.breakdowns},
            margins=margins,
        )

    def _margins(self, place: dict[str, np.ndarray], texts: dict[str, np.ndarray]) -> Margins:
        codes, (weights,) = self.joint.compact([place[name] for name in (*UNITS, *self.margins)])
        psu = np.cumsum(changes(codes[:, :3])) - 1
        cells, joint = np.unique(codes[:, [0, *range(3, codes.shape[1])]], axis=0, return_inverse=True)
        return Margins(cells, tuple(texts[name] for name in self.margins), psu, joint.ravel(), weights)

    def _by_margin(self, by: frozenset[str], place: dict[str, np.ndarray], margins: Margins) -> ByMargin:
        names, count = self._names(by), len(self.margins)
        units = [place["survey"], place["stratum"], np.arange(2), *(place[name] for name in (*self.margins, *names))]
        codes, sums = self.fits[by].compact(units)
        stratum = np.unique(keys(list(codes[:, :2].T)), return_inverse=True)[1]
        cells = np.concatenate([margins.cells, codes[:, [0, *range(3, 3 + count)]]])
        joint = np.unique(keys(list(cells.T)), return_inverse=True)[1][len(margins.cells) :]
        dimensions = [dimension for dimension in self.dimensions if dimension in by]
        return ByMargin(
            stratum=stratum,
            alone=codes[:, 2] > 0,
            joint=joint,
            codes=dict(zip(dimensions, codes[:, 3 + count :].T, strict=True)),
            based=sums[0],
            squared=sums[1] if self.squared else None,
        )

    def _crossing(self, by: frozenset[str], place: dict[str, np.ndarray], alone: np.ndarray, margins: Margins | None) -> Crossing:
        """``alone`` says of each PSU's number whether it stands for none."""
        names = self._names(by)
        dimensions = [dimension for dimension in self.dimensions if dimension in by]
        codes, sums = self.tables[by].compact([place[name] for name in (*UNITS, *names)])
        psu = np.cumsum(changes(codes[:, :3])) - 1  # everybody is in some cell, and so every PSU in every breakdown
        whether = np.arange(2)
        _, (counted,) = self.counts[by].compact([place["survey"], place["stratum"], whether, *(place[name] for name in names)])
        _, stratum_cell = np.unique(keys([*codes[:, :2].T, alone[codes[:, 2]], *codes[:, 3:].T]), return_inverse=True)
        return Crossing(
            psu=psu,
            codes=dict(zip(dimensions, codes[:, 3:].T, strict=True)),
            stratum_cell=stratum_cell,
            weighted=sums[0],
            squared=sums[1] if self.squared else None,
            counted=counted,
            by_margin=self._by_margin(by, place, margins) if margins else None,
        )


def _add(table: Table, codes: list[np.ndarray], finest: np.ndarray, numbers: list[np.ndarray]) -> None:
    """Add respondents' ``numbers`` to the sums of their groups: ``codes`` are those of the finest group of each."""
    code, row = group(codes)
    sums = np.column_stack([np.bincount(finest, weights=number, minlength=len(codes[0])) for number in numbers])
    table.add(np.column_stack([column[row] for column in codes]), [sum_by(code, len(row), sums)])


def changes(codes: np.ndarray) -> np.ndarray:
    """True where a run of equal rows (or values) begins."""
    changed = np.ones(len(codes), dtype=bool)
    different = codes[1:] != codes[:-1]
    changed[1:] = different.any(axis=1) if codes.ndim > 1 else different
    return changed


def _check_weights(w: np.ndarray, base: np.ndarray, survey: np.ndarray, coder: Coder, variable: str) -> None:
    wrong = not_a_weight(w, base) | (base < 0)
    if wrong.any():
        raise InputError(
            [
                Problem(
                    f"{coder.texts[code]}: {NEGATIVE[0]}".removeprefix(": "),
                    NEGATIVE[1],
                    variable=variable,
                    rows=int(np.sum(wrong & (survey == code))),
                )
                for code in np.unique(survey[wrong])
            ]
        )
