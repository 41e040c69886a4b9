"""Intervals of a share in a domain of few respondents: four kinds of them against the truth, and what publishing rules leave.

Belongs here: coverage by kind of interval, and what binomial arithmetic says it must be. Not here: drawing and estimating
(``coverage``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rga.survey import korn_graubard, logit_interval, obs_status, wilson
from tests.simulation.coverage_designs import SURVEY_N, SampleDesign
from tests.simulation.known_population import DOMAINS, RARE

KINDS = ["published", "logit", "korn_graubard", "wilson"]


def limits(p: np.ndarray, se: np.ndarray, n: np.ndarray, df: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Limits by kind. ``published``: the library's default, logit but Korn-Graubard where everybody or nobody says yes."""
    logit, exact = logit_interval(p, se, df), korn_graubard(p, se, n, df)
    at_bound = (p == 0) | (p == 1)
    published = np.where(at_bound, exact[0], logit[0]), np.where(at_bound, exact[1], logit[1])
    return dict(zip(KINDS, (published, logit, exact, wilson(p, se, n, df)), strict=True))


def summary(design: SampleDesign, found: pd.DataFrame, draws: int) -> pd.DataFrame:
    """A row per domain and characteristic, from `coverage.repeat`.

    Per cent of ``draws``: `extreme`, nobody or everybody in the sample says yes; `no_df`, no limits for want of degrees of freedom
    or respondents; `withheld`, fewer than 25 respondents; `flagged`, 25 to 49 or no degree of freedom. Coverage by kind, per cent
    of the draws in which it is defined, with its Monte Carlo margin of 1.96 standard errors; `shown`: of the published interval
    where it is not withheld; `width`: mean width of the published interval, in points. `se_ratio`: mean standard error over the
    standard deviation of the estimate. `by_psus`: coverage of the logit interval where it is defined, had it as many
    degrees of freedom as PSUs with people of the domain, less one.
    """
    population, rows = design.population(), []
    for place, quantity in enumerate(design.quantities):
        some, truth = found[found["quantity"] == place], quantity.truth(population)
        p, se, n, df = (some[name].to_numpy(dtype=float) for name in ("value", "se", "n", "df"))
        status, kinds = obs_status(n, df), limits(p, se, n, df)
        low, high = (some[name].to_numpy(dtype=float) for name in ("ci_low", "ci_high"))
        np.testing.assert_allclose(kinds["published"], (low, high), rtol=1e-9, err_msg="not the library's own interval")
        row: dict[str, object] = {
            "design": design.key,
            "share": quantity.statistic.code,
            "expected_n": int(quantity.domain["domain"][1:]),
        }
        for kind, (lower, upper) in kinds.items():
            defined = ~np.isnan(lower)
            row[kind], row[f"{kind}_margin"] = per_cent(((lower <= truth) & (truth <= upper))[defined])
        inside = ~np.isnan(kinds["logit"][0])
        lower, upper = logit_interval(p, se, some["psus"].to_numpy(dtype=float) - 1)
        row["by_psus"], _ = per_cent(((lower <= truth) & (truth <= upper))[inside])
        shown = (status != "Q") & ~np.isnan(low)
        row["shown"], row["shown_margin"] = per_cent(((low <= truth) & (truth <= high))[shown])
        row |= {
            "truth": truth,
            "bias": (float(np.mean(p)) - truth) / float(np.std(p, ddof=1)),
            "se_ratio": float(np.nanmean(se)) / float(np.std(p, ddof=1)),
            "extreme": 100 * float(((p == 0) | (p == 1)).sum()) / draws,
            "no_df": 100 - 100 * float((~np.isnan(low)).sum()) / draws,
            "withheld": 100 - 100 * float((status != "Q").sum()) / draws,
            "flagged": 100 * float((status == "U").sum()) / draws,
            "width": 100 * float(np.nanmean(high - low)),
            "df": float(np.median(df)),
            "draws_shown": int(shown.sum()),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def per_cent(yes: np.ndarray) -> tuple[float, float]:
    """Share of ``yes``, and 1.96 of its standard errors (as if half of one more said otherwise where all agree), in points."""
    if not len(yes):
        return float("nan"), float("nan")
    share = float(yes.mean())
    return 100 * share, 196 * float(np.sqrt(max(share * (1 - share), 0.5 / len(yes)) / len(yes)))


def by_arithmetic(weights: dict[float, float]) -> pd.DataFrame:
    """The coverage that each interval has where respondents are drawn one by one, by summing over every possible outcome.

    ``weights``: weight -> share of the respondents who have it (one or two of them). The number of a domain's respondents of each
    weight is binomial, and so is the number of these with the characteristic. Columns share, expected_n and the kinds; per cent of
    the outcomes in which the interval is defined.
    """
    rows = [_outcomes(weights, expected, name) for expected in DOMAINS for name in RARE]
    return pd.DataFrame(rows)


def _outcomes(weights: dict[float, float], expected: int, name: str) -> dict[str, object]:
    from scipy.stats import binom  # takes seconds to import

    (w1, part1), (w2, part2) = (*weights.items(), (1.0, 0.0))[:2]
    truth = RARE[name]
    defined, covering = dict.fromkeys(KINDS, 0.0), dict.fromkeys(KINDS, 0.0)
    sizes = [np.arange(4 * expected + 30), np.arange(4 * expected + 30)]
    chances = [binom.pmf(size, SURVEY_N, expected * part / SURVEY_N) for size, part in zip(sizes, (part1, part2), strict=True)]
    for n1, n2 in np.argwhere(chances[0][:, None] * chances[1] > 1e-6):
        if n1 + n2 < 2:
            continue
        yes1, yes2 = (grid.ravel().astype(float) for grid in np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1)))
        chance = chances[0][n1] * chances[1][n2] * binom.pmf(yes1, n1, truth) * binom.pmf(yes2, n2, truth)
        total = w1 * n1 + w2 * n2
        p = (w1 * yes1 + w2 * yes2) / total
        p[yes1 + yes2 == n1 + n2] = 1.0
        squares = w1**2 * (yes1 * (1 - p) ** 2 + (n1 - yes1) * p**2) + w2**2 * (yes2 * (1 - p) ** 2 + (n2 - yes2) * p**2)
        se = np.sqrt(squares * SURVEY_N / (SURVEY_N - 1)) / total
        for kind, (low, high) in limits(p, se, np.full(len(p), n1 + n2), np.full(len(p), n1 + n2 - 1)).items():
            defined[kind] += chance[~np.isnan(low)].sum()
            covering[kind] += chance[(low <= truth) & (truth <= high)].sum()
    return {"share": name, "expected_n": expected} | {kind: 100 * covering[kind] / defined[kind] for kind in KINDS}
