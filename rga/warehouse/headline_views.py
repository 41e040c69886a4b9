"""Views of women, men and the gap in each survey.

Belongs here: their SQL and comments. Not here: ranks, changes, regions (``comparison_views``).
"""

from __future__ import annotations

from collections.abc import Sequence

from rga.warehouse.schema import View, literal, quoted

HEADLINE = View(
    "v_headline",
    "Women, men and everybody, and the gap: one row per survey and indicator, with its title.",
    """
    SELECT g.survey_id, g.country, n.name AS country_name, g.round, g.year, i.module, g.indicator, i.title, i.direction,
           e.everybody, e.women, e.men, g.gap, g.ci_low AS gap_low, g.ci_high AS gap_high, g.p_adjusted, g.verdict, g.obs_status,
           greatest(g.rounded_to, e.everybody_rounded_to) AS rounded_to,
           a.adjusted_gap, a.ci_low AS adjusted_low, a.ci_high AS adjusted_high, a.obs_status AS adjusted_status,
           g.n_women, g.n_men, g.comparability, s.caution, s.status AS survey_status, g.mode, g.sample_type, g.simulated
    FROM gender_gaps g
    JOIN indicators i USING (indicator)
    JOIN surveys s USING (survey_id)
    JOIN countries n ON n.iso3 = g.country
    LEFT JOIN (
        SELECT survey_id, indicator, statistic, category, any_value(value) FILTER (breakdown = 'total') AS everybody,
               any_value(rounded_to) FILTER (breakdown = 'total') AS everybody_rounded_to,
               any_value(value) FILTER (sex = 'F') AS women, any_value(value) FILTER (sex = 'M') AS men
        FROM estimates WHERE breakdown IN ('total', 'sex') GROUP BY ALL
    ) e USING (survey_id, indicator, statistic, category)
    LEFT JOIN adjusted_gaps a ON a.survey_id = g.survey_id AND a.indicator = g.indicator
    WHERE g.breakdown = 'sex'
    """,
    of="gender_gaps",
)

LONG = View(
    "v_long",
    "Everybody, women and men: one row per survey, indicator and sex, with errors.",
    """
    SELECT e.survey_id, e.country, e.round, e.year, i.module, e.indicator, i.title, e.sex, e.value, e.se, e.ci_low, e.ci_high, e.n,
           e.population, e.rounded_to, e.obs_status, e.comparability, e.mode, e.sample_type, e.simulated
    FROM estimates e JOIN indicators i USING (indicator)
    WHERE e.breakdown IN ('total', 'sex') AND e.sex IN ('_T', 'F', 'M')
    """,
    of="estimates",
)


def wide(indicators: Sequence[str]) -> View:
    """`v_wide`, with a column for each of ``indicators``."""
    columns = "".join(f"found[{literal(code)}] AS {quoted(code)}, " for code in indicators)
    return View(
        "v_wide",
        "Per cent, one column per indicator: one row per survey and sex. Errors are in v_long.",
        f"""
    SELECT survey_id, country, round, year, sex, {columns}rounded_to, mode, sample_type, simulated
    FROM (
        SELECT survey_id, country, round, year, sex, max(rounded_to) AS rounded_to, any_value(mode) AS mode,
               any_value(sample_type) AS sample_type, bool_or(simulated) AS simulated, map(list(indicator), list(value)) AS found
        FROM v_long GROUP BY survey_id, country, round, year, sex
    )
    """,
        of="estimates",
        about=dict.fromkeys(indicators, "Per cent of whom table indicators says; null where suppressed or not asked")
        | {"rounded_to": "The largest protective rounding among the row's shares, percentage points; null: none (v_long has each)"},
    )
