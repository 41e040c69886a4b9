"""Survey statistics: from weighted respondents to shares, gaps and their uncertainty; and the weights themselves.

Belongs here: estimators and their formulas, on tables and arrays. Not here: files, YAML, releases, or anything about
Dagster.
"""

from rga.survey.aggregation import Sums, aggregate
from rga.survey.calibration import Raking, joint_categories, rake
from rga.survey.design import MISSING, OTHER, TOTAL, Design, LonelyPsu, Replicates
from rga.survey.diagnostics import WeightDiagnostics, diagnose
from rga.survey.estimation import estimate
from rga.survey.gaps import benjamini_hochberg, gender_gaps
from rga.survey.intervals import korn_graubard, logit_interval
from rga.survey.reliability import FLAG_BELOW, SUPPRESS_BELOW, obs_status
from rga.survey.statistics import Distribution, Mean, Quantile, Ratio, Share, Total

__all__ = [
    "FLAG_BELOW",
    "MISSING",
    "OTHER",
    "SUPPRESS_BELOW",
    "TOTAL",
    "Design",
    "Distribution",
    "LonelyPsu",
    "Mean",
    "Quantile",
    "Raking",
    "Ratio",
    "Replicates",
    "Share",
    "Sums",
    "Total",
    "WeightDiagnostics",
    "aggregate",
    "benjamini_hochberg",
    "diagnose",
    "estimate",
    "gender_gaps",
    "joint_categories",
    "korn_graubard",
    "logit_interval",
    "obs_status",
    "rake",
]
