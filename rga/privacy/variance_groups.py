"""Random groups of PSUs, which carry the sampling error of a design without telling who lives together.

Belongs here: dealing PSUs to groups. Not here: replicates made of them (``replicate_weights``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem

FEWEST, USUAL, MOST = 4, 10, 50


def variance_groups(data: pd.DataFrame, known: pd.DataFrame, seed: int, survey: str) -> np.ndarray | None:
    """The group (0, 1, ...) of each respondent, None where ``data`` has neither stratum nor psu: then everybody is a PSU.

    Replicates show which respondents vary together. Were these the members of a PSU, others of the PSU would tell what one of them
    has suppressed. So each stratum's PSUs (respondents, where there are none) are dealt to random groups that all mix the strata
    (random groups, Wolter 2007, chapter 2): as many as the median stratum has PSUs, from 10 to 50, and two PSUs to a group or more.
    Deviations between strata of fewer PSUs than groups count as error, so standard errors are rather too large.

    There are fewer groups where one would be all of the same value of a quasi-identifier in ``known``. Raises InputError where not
    even four are mixed.
    """
    if data["stratum"].isna().all() and data["psu"].isna().all():
        return None
    stratum = pd.factorize(data["stratum"], use_na_sentinel=False)[0]
    psu = pd.Series(pd.factorize(data["psu"])[0])
    psu = psu.where(psu >= 0, -1 - np.arange(len(psu)))
    unit, units = pd.factorize(pd.MultiIndex.from_arrays([stratum, psu]))
    of_stratum = units.get_level_values(0).to_numpy()
    sizes = np.bincount(of_stratum)
    rng = np.random.default_rng(seed)
    most = min(int(np.clip(np.median(sizes), USUAL, MOST)), len(units) // 2)
    for groups in range(most, FEWEST - 1, -1):
        dealt = np.empty(len(units), dtype=np.int64)
        for h, size in enumerate(sizes):
            dealt[of_stratum == h] = rng.permutation(np.resize(rng.permutation(groups), size))
        found = dealt[unit]
        if _mixed(found, groups, known):
            return found
    what = "is not released: its PSUs are too few, or too much alike, for replicate weights that do not give away who shares one"
    raise InputError(Problem(what, "leave the quasi-identifier out that follows from the PSU", survey, "psu"))


def _mixed(group: np.ndarray, groups: int, known: pd.DataFrame) -> bool:
    """Whether each group has two values or more of every quasi-identifier that has two."""
    for name in known:
        answered = known[name].dropna()
        if answered.nunique() > 1:
            values = answered.astype("object").groupby(group[answered.index]).nunique()
            if len(values) < groups or int(values.min()) < 2:
                return False
    return True
