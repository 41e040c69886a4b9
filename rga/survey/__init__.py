"""Survey statistics: from weighted respondents to estimates, gaps and their uncertainty; and the weights themselves.

Belongs here: estimators and their formulas, on tables and arrays. Not here: files, YAML, releases, or anything about
Dagster.

In a notebook: `tabulate` for a table of estimates, `jointly` for results with their covariance and contrasts of them,
`independence` for a test of association, `regress` for a gap adjusted for other circumstances, `make_replicates` for replicate
weights, `calibrate` for weights. `aggregate`, `estimate` and `gender_gaps` are what the pipeline is made of: one pass over every
survey, then estimates and gaps from its sums.
"""

from rga.survey.aggregation import aggregate
from rga.survey.association import Independence, independence
from rga.survey.calibration import Calibration, Collapsed, calibrate, joint_categories
from rga.survey.design import MISSING, OTHER, TOTAL, Design, LonelyPsu, Replicates
from rga.survey.diagnostics import WeightDiagnostics, diagnose
from rga.survey.gaps import benjamini_hochberg
from rga.survey.intervals import korn_graubard, logit_interval, t_interval, t_quantile, wilson
from rga.survey.joint import Joint, Result, jointly
from rga.survey.regression import Regression, regress
from rga.survey.reliability import FLAG_BELOW, SUPPRESS_BELOW, obs_status
from rga.survey.replicates import make_replicates
from rga.survey.replication import ReplicateEstimates, estimate_replicates
from rga.survey.statistics import Distribution, Mean, Quantile, Ratio, Share, Total
from rga.survey.sums import Sums
from rga.survey.tables import estimate, estimates_and_gaps, gender_gaps
from rga.survey.tabulate import tabulate

__all__ = [
    "FLAG_BELOW",
    "MISSING",
    "OTHER",
    "SUPPRESS_BELOW",
    "TOTAL",
    "Calibration",
    "Collapsed",
    "Design",
    "Distribution",
    "Independence",
    "Joint",
    "LonelyPsu",
    "Mean",
    "Quantile",
    "Ratio",
    "Regression",
    "ReplicateEstimates",
    "Replicates",
    "Result",
    "Share",
    "Sums",
    "Total",
    "WeightDiagnostics",
    "aggregate",
    "benjamini_hochberg",
    "calibrate",
    "diagnose",
    "estimate",
    "estimate_replicates",
    "estimates_and_gaps",
    "gender_gaps",
    "independence",
    "joint_categories",
    "jointly",
    "korn_graubard",
    "logit_interval",
    "make_replicates",
    "obs_status",
    "regress",
    "t_interval",
    "t_quantile",
    "tabulate",
    "wilson",
]
