"""Standard errors, limits and p-values of many results from their influence values.

Belongs here: influence values of respondents into a table. Not here: influence values themselves, the design's arithmetic
(``multistage``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import stdtr

from rga.survey.intervals import t_interval
from rga.survey.sample import Sample


@dataclass(frozen=True)
class Uncertainty:
    """Of results each with its own base: ``base``, respondents x K, boolean."""

    sample: Sample
    base: np.ndarray

    @cached_property
    def inside(self) -> np.ndarray:
        """Ultimate units x K: has it a respondent of the base?"""
        return self.sample.stages.by_unit(self.base)

    @cached_property
    def df(self) -> np.ndarray:
        """PSUs minus strata, of those with a respondent in the base."""
        return self.sample.stages.df(self.inside)

    @cached_property
    def _silent(self) -> np.ndarray:
        return self.sample.stages.silent(self.inside, np.ones(self.inside.shape[1], dtype=bool))

    def se(self, z: np.ndarray) -> np.ndarray:
        """Standard errors of K results from influence values (respondents x K); NaN where the sample says nothing of it."""
        variance = self.sample.stages.variance(self.sample.residuals(z), self.inside)
        return np.where(self._silent, np.nan, np.sqrt(variance))

    def table(self, value: np.ndarray, z: Sequence[np.ndarray], df: np.ndarray | None = None) -> pd.DataFrame:
        """Of several sets of K results one below the other, ``z`` the influence values of each: columns value, se, ci_low, ci_high
        (95 %, t), df, p_value (of 0); by default with the design's degrees of freedom."""
        se, df = np.concatenate([self.se(of_set) for of_set in z]), np.tile(self.df if df is None else df, len(z))
        spread = np.where(se > 0, se, np.nan)
        low, high = t_interval(value, spread, df)
        p_value = np.where(df > 0, 2 * stdtr(np.maximum(df, 1), -np.abs(value / spread)), np.nan)
        return pd.DataFrame({"value": value, "se": se, "ci_low": low, "ci_high": high, "df": df, "p_value": p_value})
