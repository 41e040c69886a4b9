"""Views and table macros of a release: what researchers ask for first, with titles and in words.

Belongs here: their SQL and comments. Not here: any number that no table has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rga.warehouse.schema import literal, quoted


@dataclass(frozen=True)
class View:
    """``sql`` is a SELECT; with ``parameters`` it is a table macro, called as `FROM name(...)`."""

    name: str
    comment: str
    sql: str
    parameters: tuple[str, ...] = ()

    @property
    def call(self) -> str:
        return f"{self.name}({', '.join(self.parameters)})" if self.parameters else self.name

    def ddl(self) -> list[str]:
        """CREATE, then COMMENT. Names are not qualified: a release is opened under names of the reader's choice."""
        kind = f"MACRO {self.call} AS TABLE" if self.parameters else f"VIEW {self.name} AS"
        what = "MACRO TABLE" if self.parameters else "VIEW"
        return [f"CREATE {kind} {self.sql}", f"COMMENT ON {what} {self.name} IS {literal(self.comment)}"]


def views(indicators: Sequence[str]) -> list[View]:
    """All of them, in the order in which they build on each other; ``indicators`` are the codes that `v_wide` has as columns."""
    return [_HEADLINE, _LONG, _wide(indicators), _RANKING, _TREND, _PROFILE, _FURTHEST, _REGIONAL, _LEFT_OUT, *_MACROS]


_HEADLINE = View(
    "v_headline",
    "Women, men and everybody, and the gap: one row per survey and indicator, with its title.",
    """
    SELECT g.survey_id, g.country, g.round, g.year, i.module, g.indicator, i.title, i.direction,
           t.value AS everybody, g.women, g.men, g.gap, g.ci_low AS gap_low, g.ci_high AS gap_high, g.p_adjusted, g.verdict,
           a.adjusted_gap, a.ci_low AS adjusted_low, a.ci_high AS adjusted_high, g.n_women, g.n_men,
           g.comparability, g.mode, g.sample_type, g.obs_status, g.simulated
    FROM gender_gaps g
    JOIN indicators i USING (indicator)
    LEFT JOIN estimates t ON t.survey_id = g.survey_id AND t.indicator = g.indicator AND t.statistic = g.statistic
        AND t.category = g.category AND t.breakdown = 'total'
    LEFT JOIN adjusted_gaps a ON a.survey_id = g.survey_id AND a.indicator = g.indicator
    WHERE g.breakdown = 'sex'
    """,
)

_LONG = View(
    "v_long",
    "Everybody, women and men: one row per survey, indicator and sex, with errors.",
    """
    SELECT e.survey_id, e.country, e.round, e.year, i.module, e.indicator, i.title, e.sex, e.value, e.se, e.ci_low, e.ci_high, e.n,
           e.population, e.obs_status, e.comparability, e.mode, e.sample_type, e.simulated
    FROM estimates e JOIN indicators i USING (indicator)
    WHERE e.breakdown IN ('total', 'sex') AND e.sex IN ('_T', 'F', 'M')
    """,
)


def _wide(indicators: Sequence[str]) -> View:
    columns = "".join(f"found[{literal(code)}] AS {quoted(code)}, " for code in indicators)
    return View(
        "v_wide",
        "Per cent, one column per indicator: one row per survey and sex. Errors are in v_long.",
        f"""
    SELECT survey_id, country, round, year, sex, {columns}mode, sample_type, simulated
    FROM (
        SELECT survey_id, country, round, year, sex, any_value(mode) AS mode, any_value(sample_type) AS sample_type,
               bool_or(simulated) AS simulated, map(list(indicator), list(value)) AS found
        FROM v_long GROUP BY survey_id, country, round, year, sex
    )
    """,
    )


# Of rows of v_headline: 1 in the direction of harm; ranks of those with a gap, and how many these are.
_SIGN = "CASE direction WHEN 'more_is_better' THEN -1 ELSE 1 END"
_ROUND = "OVER (PARTITION BY round, indicator, simulated"
_RANKS = f"rank() {_ROUND} ORDER BY {_SIGN} * gap DESC NULLS LAST) AS rank, count(gap) {_ROUND}) AS countries"

_RANKING = View(
    "v_gap_ranking",
    "Countries of a round by how much worse off women are: one row per round, indicator and country. `disadvantage` is the gap in "
    "the direction of harm; of indicators without one it is the gap. Ranks do not show that neighbours differ: compare the limits.",
    f"""
    WITH towards AS (SELECT *, {_SIGN} AS sign FROM v_headline WHERE gap IS NOT NULL)
    SELECT round, indicator, title, country, {_RANKS}, sign * gap AS disadvantage,
           CASE sign WHEN 1 THEN gap_low ELSE -gap_high END AS disadvantage_low,
           CASE sign WHEN 1 THEN gap_high ELSE -gap_low END AS disadvantage_high,
           women, men, gap, verdict, direction, survey_id, comparability, mode, sample_type, simulated
    FROM towards
    """,
)

_TREND = View(
    "v_trend",
    "What changed from one round to another: everybody, women, men, and the gap between them. Rounds that may not be compared "
    "have one row, with the reason and no numbers.",
    """
    SELECT c.country, c.indicator, i.title,
           CASE WHEN c.measure = 'gap' THEN 'gap' WHEN c.sex = 'F' THEN 'women' WHEN c.sex = 'M' THEN 'men' ELSE 'everybody' END
             AS who,
           c.earlier_round, c.later_round, c.earlier, c.later, c.change, c.ci_low, c.ci_high, c.p_adjusted,
           CASE WHEN NOT c.comparable THEN 'not comparable' WHEN c.change IS NULL AND c.conf_status = 'C' THEN 'withheld'
                WHEN c.change IS NULL THEN 'too few cases' WHEN NOT coalesce(c.p_adjusted <= 0.05, FALSE) THEN 'no clear change'
                WHEN c.change > 0 THEN 'rose' ELSE 'fell' END AS verdict,
           c.n_earlier, c.n_later, c.sample, c.comparability, c.reason, c.simulated
    FROM changes c JOIN indicators i USING (indicator)
    WHERE c.breakdown IN ('total', 'sex') AND (c.measure = 'gap' OR c.sex IN ('_T', 'F', 'M'))
    """,
)

_PROFILE = View(
    "v_country_profile",
    "A country at its latest round that asked: one row per country and indicator, with rank among countries and change of the gap.",
    f"""
    WITH ranked AS (
        SELECT *, {_RANKS}, max(round) OVER (PARTITION BY country, indicator, simulated) AS latest FROM v_headline
    ), last_change AS (
        SELECT country, indicator, earlier_round, later_round, change, verdict, simulated FROM v_trend WHERE who = 'gap'
        QUALIFY earlier_round = max(earlier_round) OVER (PARTITION BY country, indicator, later_round, simulated)
    )
    SELECT h.country, h.module, h.indicator, h.title, h.round, h.everybody, h.women, h.men, h.gap, h.gap_low, h.gap_high, h.verdict,
           h.adjusted_gap, CASE WHEN h.gap IS NOT NULL THEN h.rank END AS rank,
           CASE WHEN h.gap IS NOT NULL THEN h.countries END AS countries,
           t.earlier_round, t.change AS gap_change, t.verdict AS gap_trend,
           h.direction, h.survey_id, h.comparability, h.mode, h.sample_type, h.simulated
    FROM ranked h
    LEFT JOIN last_change t ON t.country = h.country AND t.indicator = h.indicator AND t.later_round = h.round
        AND t.simulated = h.simulated
    WHERE h.round = h.latest
    """,
)

_FURTHEST = View(
    "v_furthest_behind",
    "The three groups furthest behind of every survey and indicator that has a direction, in words.",
    """
    SELECT f.country, f.round, f.indicator, i.title, f.rank, f.group_label, f.value, f.ci_low, f.ci_high, f.total, f.gap_to_total,
           f.gap_low, f.gap_high, f.worse_than_total, f.rank_low, f.rank_high, f.groups, f.n, f.population, f.survey_id, f.simulated
    FROM furthest_behind f JOIN indicators i USING (indicator)
    WHERE f.rank <= 3
    """,
)

_REGIONAL = View(
    "v_regional",
    "The surveyed countries of a round together, by two rules: everybody, women, men and the gap, and how much countries differ "
    "in it. One row per round, indicator and rule; not representative of a region.",
    """
    SELECT g.round, i.module, g.indicator, i.title, i.direction, g.aggregation, t.value AS everybody, g.women, g.men, g.gap,
           g.ci_low AS gap_low, g.ci_high AS gap_high, g.p_adjusted, g.gap_within_countries, g.without_low, g.without_high,
           h.i2, h.prediction_low, h.prediction_high, g.countries, g.country_list, g.left_out_list, g.n_women, g.n_men, g.simulated
    FROM regional_gaps g
    JOIN indicators i USING (indicator)
    LEFT JOIN regional_estimates t ON t.round = g.round AND t.indicator = g.indicator AND t.aggregation = g.aggregation
        AND t.simulated = g.simulated AND t.sex = '_T'
    LEFT JOIN gap_heterogeneity h ON h.round = g.round AND h.indicator = g.indicator AND h.simulated = g.simulated
    """,
)

_LEFT_OUT = View(
    "v_crossings_left_out",
    "Surveys and indicators without any row of a crossing that the release tabulates, and why: one row per survey, indicator and "
    "breakdown.",
    """
    WITH shown AS (SELECT DISTINCT survey_id, indicator, breakdown FROM estimates),
    crossed AS (SELECT DISTINCT survey_id, breakdown FROM shown),
    deep AS (SELECT DISTINCT survey_id, indicator FROM shown WHERE breakdown LIKE '%*%*%'),
    wanted AS (
        SELECT c.survey_id, c.indicator, b.breakdown, c.status, c.reason, b.breakdown LIKE '%*%*%' AS three
        FROM coverage c CROSS JOIN breakdowns b
    )
    SELECT w.survey_id, s.country, s.round, w.indicator, w.breakdown,
           CASE WHEN w.status = 'not_asked' THEN 'not asked' || coalesce(': ' || w.reason, '')
                WHEN NOT EXISTS (FROM crossed x WHERE x.survey_id = w.survey_id AND x.breakdown = w.breakdown)
                     AND (NOT w.three OR EXISTS (FROM deep d WHERE d.survey_id = w.survey_id))
                THEN 'the survey does not have all variables of the crossing, or no group of 25 respondents'
                WHEN w.three AND NOT EXISTS (FROM deep d WHERE d.survey_id = w.survey_id AND d.indicator = w.indicator)
                THEN 'hidden groups could not be protected without hiding larger ones, or no group has 25 respondents'
                ELSE 'no group of known categories has 25 respondents' END AS reason,
           s.simulated
    FROM wanted w JOIN surveys s USING (survey_id) ANTI JOIN shown h USING (survey_id, indicator, breakdown)
    """,
)

_MACROS = [
    View(
        "gap",
        "Women and men in one indicator and round (or year), country by country: FROM gap('UDW_INC_ANY', '2020-r1').",
        """
    SELECT country, women, men, gap, gap_low, gap_high, p_adjusted, verdict, adjusted_gap, n_women, n_men, comparability,
           sample_type, simulated, round
    FROM v_headline
    WHERE upper(indicator) = upper(indicator_code) AND lower(round_id) IN (lower(round), year::VARCHAR)
    ORDER BY gap DESC NULLS LAST, country
    """,
        ("indicator_code", "round_id"),
    ),
    View(
        "trend",
        "What changed of one indicator in every country: FROM trend('UDW_INC_ANY').",
        "SELECT * FROM v_trend WHERE upper(indicator) = upper(indicator_code) ORDER BY country, earlier_round, later_round, who",
        ("indicator_code",),
    ),
    View(
        "profile",
        "All indicators of one country, by its code or by its name in the titles of its surveys, at its latest round: "
        "FROM profile('BGD'), FROM profile('Bangladesh').",
        r"""
    SELECT * FROM v_country_profile
    WHERE country = upper(code_or_name) OR country IN (
        SELECT country FROM surveys WHERE regexp_matches(title, '\b' || regexp_escape(code_or_name) || '\b', 'i')
    )
    ORDER BY module, indicator
    """,
        ("code_or_name",),
    ),
]
