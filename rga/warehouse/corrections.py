"""Whether two states of a survey differ by few respondents, whose answers whoever has both releases would have by subtraction.

Belongs here: what is kept of respondents to compare states, and the comparison. Not here: where it is kept (``published_states``),
or what follows from it (``assets.corrections``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import duckdb
import numpy as np
import pandas as pd

from rga.warehouse.schema import quoted

FEW = 4  # respondents, as `small_count` of publication_rules.yaml
CELL, ANSWER, SHARE = "cell ", "answer ", "share "  # what begins the names of a state's columns
COUNTED = {  # published tables of exact counts: what each is of, and what tells its rows apart
    "codebook": ("variable", ["code", "kind", "harmonised"]),
    "item_nonresponse": ("variable", ["kind"]),
    "margins": ("margin", ["category"]),
}
Tables = Mapping[str, pd.DataFrame]


def state_of(
    respondents: pd.DataFrame, kinds: pd.DataFrame, shares: Mapping[str, tuple[str, str]], dimensions: Sequence[str]
) -> pd.DataFrame:
    """What of each respondent enters published tables: a row per respondent.

    ``respondents`` are harmonised, ``kinds`` has the kind of each answer, row by row; ``shares`` gives universe and numerator by
    indicator. Columns: respondent_id; `cell <dimension>`; `answer <variable>`, a number for value and kind; `share <indicator>`:
    1 or 0 for those in the base, else -1.
    """
    state = {"respondent_id": respondents["respondent_id"].to_numpy()}
    state |= {CELL + name: respondents[name].astype("string").fillna("").to_numpy() for name in dimensions if name in respondents}
    for name in respondents.columns:
        if name in kinds:
            answers = respondents[name].astype("string").fillna("") + "\0" + kinds[name].astype("string").to_numpy()
            state[ANSWER + name] = pd.util.hash_array(answers.to_numpy(dtype=object)).astype(np.uint32)
    with duckdb.connect() as connection:
        connection.register("respondents", respondents)
        chosen = [
            f"CASE WHEN ({universe}) AND ({numerator}) IS NOT NULL THEN CAST(({numerator}) AS TINYINT) ELSE -1 END "
            f"AS {quoted(SHARE + code)}"
            for code, (universe, numerator) in shares.items()
        ]
        of_shares = connection.execute(f"SELECT {', '.join(chosen)} FROM respondents").df() if chosen else pd.DataFrame()
    return pd.concat([pd.DataFrame(state), of_shares], axis=1)


def of_few(
    before: pd.DataFrame,
    after: pd.DataFrame,
    breakdowns: Sequence[Sequence[str]],
    least_base: int = 1,
    few: int = FEW,
) -> list[str]:
    """Indicators and variables of two states of which 1 to ``few`` respondents were added, taken out or changed.

    An indicator is compared in every one of ``breakdowns``, among those in its base; one with fewer than ``least_base`` in either
    state shows no share to subtract and is left out. Respondents are known by their id. Where records say that ids were given
    anew, they are known by what is counted of them: numbering a file anew hides no correction.
    """
    pair = _Pair(before, after)
    found = []
    for name in pair.shared(ANSWER):
        if pair.is_of_few([pair.codes(name)], few):
            found.append(name.removeprefix(ANSWER))
    crossed = [[CELL + name for name in by] for by in breakdowns]
    cells = [pair.cells(by) for by in crossed if set(by) <= set(pair.shared(CELL))]
    for name in pair.shared(SHARE):
        old, new = (state[name].to_numpy(np.int64) for state in (before, after))
        if min((old >= 0).sum(), (new >= 0).sum()) < least_base:
            continue
        in_cells = ((np.where(old < 0, -1, 2 * a + old), np.where(new < 0, -1, 2 * b + new)) for a, b in cells)
        if pair.is_of_few(in_cells, few):
            found.append(name.removeprefix(SHARE))
    return found


def counts_of_few(before: Tables, after: Tables, few: int = FEW) -> list[str]:
    """Variables and margins whose published counts differ by 1 to ``few`` respondents: what can be seen without respondents.

    Both have the tables of COUNTED, of one survey. A count that either hides is not compared, nor a margin of other categories.
    """
    found = []
    for table, (of, keys) in COUNTED.items():
        columns = [of, *keys, "n"]  # a table that is staged without rows has none
        old, new = (tables[table].reindex(columns=columns).astype(dict.fromkeys([of, *keys], "str")) for tables in (before, after))
        both = old.merge(new, on=[of, *keys], how="outer", suffixes=("_old", "_new"), indicator="side")
        for side, absent in (("n_old", "right_only"), ("n_new", "left_only")):
            both[side] = both[side].astype("Float64").mask(both["side"] == absent, 0)
        both = both.dropna(subset=["n_old", "n_new"])
        for name, rows in both.groupby(of):
            if table == "margins" and (rows["side"] != "both").any():
                continue  # other categories: a calibration merged some, which is no correction
            if 1 <= _moved((rows["n_new"] - rows["n_old"]).to_numpy(np.float64)) <= few:
                found.append(str(name))
    return sorted(set(found))


class _Pair:
    """Two states side by side."""

    def __init__(self, before: pd.DataFrame, after: pd.DataFrame) -> None:
        self.before, self.after = before, after
        ids = pd.Index(before["respondent_id"]).union(pd.Index(after["respondent_id"]))
        self._places = [pd.Index(state["respondent_id"]).get_indexer(ids) for state in (before, after)]
        columns = [name for prefix in (CELL, ANSWER, SHARE) for name in self.shared(prefix)]
        records = [pd.util.hash_pandas_object(state[columns], index=False).to_numpy() for state in (before, after)]
        one, other = self._numbered(*records)
        self._given_anew = self._by_id(one, other) > 2 * self._by_count(one, other)

    def shared(self, prefix: str) -> list[str]:
        """Columns that both states have."""
        return [name for name in map(str, self.before) if name.startswith(prefix) and name in self.after]

    def codes(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A column of both as numbers from 0, the same for the same."""
        return self._numbered(self.before[name].to_numpy(), self.after[name].to_numpy())

    def cells(self, names: Collection[str]) -> tuple[np.ndarray, np.ndarray]:
        """The cell of each respondent in the crossing of ``names``."""
        old, new = np.zeros(len(self.before), dtype=np.int64), np.zeros(len(self.after), dtype=np.int64)
        for name in names:
            a, b = self.codes(name)
            size = 1 + max(a.max(initial=0), b.max(initial=0))
            old, new = self._numbered(old * size + a, new * size + b)
        return old, new

    def is_of_few(self, codes: Sequence[tuple[np.ndarray, np.ndarray]] | Iterator[tuple[np.ndarray, np.ndarray]], few: int) -> bool:
        """Whether in any of ``codes``, -1 for those who are not counted, 1 to ``few`` respondents differ."""
        for old, new in codes:
            if 1 <= self._by_id(old, new) <= few or (self._given_anew and 1 <= self._by_count(old, new) <= few):
                return True
        return False

    def _by_id(self, old: np.ndarray, new: np.ndarray) -> int:
        """Respondents whose code is another, or who are in one state only."""
        a, b = (
            np.where(places < 0, -1, codes[places] if len(codes) else -1)
            for places, codes in zip(self._places, (old, new), strict=True)
        )
        return int((a != b).sum())

    @staticmethod
    def _by_count(old: np.ndarray, new: np.ndarray) -> int:
        """How many at least must have come, gone or changed for the counts of codes to be what they are."""
        size = 1 + max(old.max(initial=-1), new.max(initial=-1))
        counts = [np.bincount(codes[codes >= 0], minlength=size) for codes in (old, new)]
        return _moved(counts[1] - counts[0])

    @staticmethod
    def _numbered(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number, _ = pd.factorize(np.concatenate([old, new]))
        return number[: len(old)], number[len(old) :]


def _moved(differences: np.ndarray) -> int:
    """The larger of what was added and what was taken away."""
    return int(max(differences[differences > 0].sum(), -differences[differences < 0].sum(), 0))
