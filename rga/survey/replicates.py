"""Replicate weights made from a design: JK1, JKn, BRR, Fay, and the Rao-Wu bootstrap.

Belongs here: the factor that each PSU has in each replicate. Not here: estimates from them (``replication``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import hadamard

from rga.errors import InputError, Problem
from rga.survey.design import Design, LonelyPsu, ReplicateMethod, Replicates, shown

LARGEST = 500_000_000  # respondents x replicates: 4 GB

Recalibrate = Callable[[np.ndarray], np.ndarray]


def make_replicates(
    data: pd.DataFrame,
    design: Design,
    method: ReplicateMethod,
    *,
    rho: float = 0.5,
    count: int = 500,
    seed: int = 1,
    recalibrate: Recalibrate | None = None,
) -> tuple[np.ndarray, Replicates]:
    """Whole weights, respondents of ``data`` x replicates, and the ``Replicates`` that ``estimate_replicates`` takes:

        weights, replicates = make_replicates(data, design, "JKn")
        data = data.join(pd.DataFrame(weights, data.index, replicates.columns))
        estimate_replicates(data, dataclasses.replace(design, replicates=replicates), ...)

    The factor of a PSU of stratum h, of whose n_h PSUs (respondents, where the design has no PSU) one, c, is meant (Wolter 2007):

    - ``JK1`` (no strata) and ``JKn``: one replicate per PSU left out; 0 for it, n_h/(n_h - 1) for the others of its stratum, 1
      elsewhere; rscales (n_h - 1)/n_h, times 1 - n_h/N_h under ``fpc``.
    - ``BRR``: 2 for one PSU of each stratum's pair and 0 for the other, by the rows but the first of a Sylvester-Hadamard matrix:
      full orthogonal balance, so that totals have Taylor's variance exactly; ``Fay``: 2 - rho and rho (Judkins 1990).
    - ``bootstrap``: 1 - l + l n_h/(n_h - 1) t_c, t the times c is among n_h - 1 draws with replacement, l = sqrt(1 - n_h/N_h)
      (Rao and Wu 1988; Rao, Wu and Yue 1992); ``count`` replicates from ``seed``.

    JK1, JKn, BRR and Fay are those of R ``as.svrepdesign``, strata with one PSU under JKn included (``lonely_psu``: `adjust` sets
    the PSU to 0 and all others to H/(H - 1)). ``recalibrate`` is given the weights of each replicate and returns those to use. A
    respondent without weight has no replicate weights (NaN). Raises InputError where the design does not allow the method.
    """
    columns = (design.weight, design.stratum, design.psu, design.fpc)
    if missing := [name for name in columns if name is not None and name not in data]:
        raise InputError([Problem("no such column in the data", "correct the design", variable=name) for name in missing])
    weight = data[design.weight].to_numpy(dtype=np.float64, na_value=np.nan) if design.weight else np.ones(len(data))
    sampled = ~np.isnan(weight)
    if rows := int(((weight < 0) | np.isinf(weight)).sum()):
        raise InputError(Problem("a weight is negative or infinite", "correct it", variable=design.weight, rows=rows))
    sample = _Sample.of(data[sampled], design)
    strata, psus = len(sample.names), len(sample.stratum)
    planned = {"bootstrap": count, "BRR": 2 * strata, "Fay": 2 * strata}.get(method, psus)
    if max(len(data), psus) * planned > LARGEST:
        what = f"{method} takes {planned:,} replicates of {len(data):,} respondents"
        raise InputError(Problem(what, "take the bootstrap, or declare PSUs", variable=design.psu))
    scale: float | None = None
    rscales: np.ndarray | None = None
    match method:
        case "JK1":
            if design.stratum is not None:
                raise InputError(Problem("JK1 is for a design without strata", "take JKn", variable=design.stratum))
            factors, _, each = _jackknife(sample, "fail")
            scale = float(each[0])
        case "JKn":
            factors, scale, rscales = _jackknife(sample, design.lonely_psu)
        case "BRR" | "Fay":
            factors = _balanced(sample, rho if method == "Fay" else 0.0)
        case "bootstrap":
            factors = _bootstrap(sample, design.lonely_psu, count, seed)
        case _:
            raise ValueError(f"no replicates of method {method!r} are made here")
    weights = np.full((len(data), factors.shape[1]), np.nan)
    weights[sampled] = weight[sampled, None] * factors[sample.psu]
    if recalibrate is not None:
        for replicate in range(weights.shape[1]):
            weights[sampled, replicate] = recalibrate(weights[sampled, replicate])
    names = tuple(f"replicate_{r + 1}" for r in range(weights.shape[1]))
    given = tuple(rscales.tolist()) if rscales is not None else None
    return weights, Replicates(names, method, rho=rho if method == "Fay" else 0.0, scale=scale, rscales=given)


@dataclass(frozen=True)
class _Sample:
    """PSU of each respondent, and of each PSU its stratum; both numbered as they appear. ``left`` is 1 - n_h/N_h per stratum."""

    psu: np.ndarray
    stratum: np.ndarray
    names: list[str]
    left: np.ndarray

    @classmethod
    def of(cls, data: pd.DataFrame, design: Design) -> _Sample:
        """A PSU id that returns in another stratum is another PSU; a respondent without one is a PSU; no stratum is one stratum."""
        strata = data[design.stratum].astype(object) if design.stratum else pd.Series("", data.index, dtype=object)
        strata = strata.where(strata.notna(), "").astype(str)
        alone = pd.Series([("alone", i) for i in range(len(data))], data.index, dtype=object)
        ids = data[design.psu].astype(object) if design.psu else alone
        ids = ids.where(ids.notna(), alone)
        psu, pairs = pd.factorize(pd.MultiIndex.from_arrays([strata, ids]))
        stratum, names = pd.factorize(pairs.get_level_values(0))
        left = np.ones(len(names))
        if design.fpc is not None:
            fpc = data[design.fpc].to_numpy(dtype=np.float64)[np.unique(stratum[psu], return_index=True)[1]]
            fraction = np.where(fpc <= 1, fpc, np.bincount(stratum) / np.maximum(fpc, 1e-300))
            if not ((fraction >= 0) & (fraction <= 1)).all():
                raise InputError(Problem("a stratum has more PSUs in the sample than in the population", variable=design.fpc))
            left = 1 - fraction
        if len(pairs) < 2:
            raise InputError(Problem("a sample of one PSU has no variance", "declare PSUs within it", variable=design.psu))
        return cls(psu, stratum, [str(name) for name in names], left)

    @property
    def sizes(self) -> np.ndarray:
        return np.bincount(self.stratum)

    @property
    def lonely(self) -> np.ndarray:
        """Strata with one PSU that was not certain to be drawn."""
        return np.flatnonzero((self.sizes == 1) & (self.left > 0))

    def refuse(self, strata: np.ndarray, what: str, remedy: str) -> None:
        """Raise InputError that names every stratum of ``strata``, if there is any."""
        if len(strata):
            raise InputError([Problem(f"stratum {shown(self.names[h])} {what}", remedy) for h in strata])


def _jackknife(sample: _Sample, rule: LonelyPsu) -> tuple[np.ndarray, float, np.ndarray]:
    """PSUs x replicates, ordered by stratum; R ``jknweights``."""
    sizes, lonely = sample.sizes, sample.lonely
    if rule == "fail":
        sample.refuse(lonely, "has only one PSU", "merge it with a similar one, or choose another `lonely_psu`")
    varying = (sizes > 1) & (sample.left > 0)
    varying[lonely] = rule == "adjust"
    order = np.argsort(sample.stratum, kind="stable")
    dropped = order[varying[sample.stratum[order]]]
    if not len(dropped):
        raise InputError(Problem("no stratum has two PSUs to compare", "declare fewer strata", variable="stratum"))
    h = sample.stratum[dropped]
    factors = np.where(sample.stratum[:, None] == h, sizes[h] / np.maximum(sizes[h] - 1, 1), 1.0)
    alone, strata = sizes[h] == 1, len(sizes)
    factors[:, alone] = strata / max(strata - 1, 1)
    factors[dropped, np.arange(len(dropped))] = 0.0
    # R leaves the fpc out where it adjusts.
    rscales = np.where(alone, (strata - 1) / strata, sample.left[h] * (sizes[h] - 1) / sizes[h])
    return factors, len(order) / len(dropped) if rule == "average" else 1.0, rscales


def _balanced(sample: _Sample, rho: float) -> np.ndarray:
    """PSUs x replicates; strata in the order of their names, as R ``brrweights``."""
    if (sample.left < 1).any():
        raise InputError(Problem("BRR and Fay have no finite population correction", "take JKn or the bootstrap", variable="fpc"))
    sample.refuse(
        np.flatnonzero(sample.sizes != 2), "has not two PSUs, as BRR needs", "pair its PSUs, or take JKn or the bootstrap"
    )
    strata = len(sample.sizes)
    signs = hadamard(max(4, 1 << strata.bit_length()))
    row = 1 + np.argsort(np.argsort(np.array(sample.names, dtype=object)))
    order = np.argsort(sample.stratum, kind="stable")
    second = np.zeros(len(sample.stratum), dtype=bool)
    second[order[1::2]] = True
    chosen = (signs[row[sample.stratum]] == 1) == second[:, None]
    return np.where(chosen, 2 - rho, rho)


def _bootstrap(sample: _Sample, rule: LonelyPsu, count: int, seed: int) -> np.ndarray:
    """PSUs x replicates. A lonely PSU keeps its weight under `remove` and `certainty`; no other rule is defined for it."""
    if rule not in ("remove", "certainty"):
        sample.refuse(sample.lonely, "has only one PSU, which has no bootstrap", "merge it, or choose `lonely_psu: certainty`")
    random = np.random.default_rng(seed)
    factors = np.ones((len(sample.stratum), count))
    for h, size in enumerate(sample.sizes):
        if size > 1:
            times = random.multinomial(size - 1, np.full(size, 1 / size), size=count).T
            share = np.sqrt(sample.left[h])
            factors[sample.stratum == h] = 1 - share + share * size / (size - 1) * times
    return factors
