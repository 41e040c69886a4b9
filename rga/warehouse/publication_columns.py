"""Columns that say whether a number may be printed, and why not.

Belongs here: rules and reason of `estimates` and `gender_gaps`. Not here: the rules themselves (``rga.survey.reliability``,
``rga.survey.disclosure``).
"""

from __future__ import annotations

from rga.warehouse.schema import Column

PUBLICATION_TYPES = {
    "dhs_rule": ("show", "flag", "suppress"),
    "nchs_rule": ("narrow", "passed", "n_effective", "wide", "relative", "interval", "undefined", "not_judged"),
    "reason": (
        *("none", "rounded", "under_50_cases", "nchs_review"),
        *("few_cases", "no_variance", "nchs_n_effective", "nchs_wide", "nchs_relative", "nchs_interval", "confidential"),
    ),
}

PRECISION = Column(
    "precision",
    "DOUBLE",
    "Step that the value is printed to: at most a fifth of its standard error; percentage points for shares. Null: exact (0 and "
    "100 per cent), or hidden",
    True,
    "precision > 0",
)
ROUNDED_TO = Column(
    "rounded_to",
    "DOUBLE",
    "Larger step that the value is rounded to, as it would otherwise help to compute a hidden one: at most its standard error; "
    "percentage points. Null: not needed",
    True,
    "rounded_to > 0",
)
WHY = [
    PRECISION,
    ROUNDED_TO,
    Column(
        "reason",
        "reason",
        "Why obs_status is what it is. Q: few_cases (DHS, under 25), no_variance, nchs_n_effective, nchs_wide, nchs_relative, "
        "nchs_interval (one of the two before), "
        "confidential. U: under_50_cases (DHS), nchs_review. A: none, rounded",
    ),
]
RULES = [
    Column("dhs_rule", "dhs_rule", "DHS rule on n: suppress under 25, flag under 50, else show"),
    Column(
        "nchs_rule",
        "nchs_rule",
        "Rule of NCHS 2017 that decides. Shown: narrow (interval to 5 points), passed. Suppressed: n_effective (under 30), wide "
        "(30 points or more), relative (interval over 130 % of the share), interval (one of these two; its name would tell "
        "the count), undefined. not_judged: no share. Not told where conf_status is C: it depends on the count",
        True,
    ),
    Column(
        "nchs_review",
        "VARCHAR",
        "Why NCHS would review a shown share, comma separated: complement (interval over 130 % of 100 - share), df (under 8), "
        "bound (0 or 100 %)",
        True,
    ),
]
