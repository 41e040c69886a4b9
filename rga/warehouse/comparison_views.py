"""Views that compare countries, rounds and groups.

Belongs here: their SQL and comments. Not here: one survey by itself (``headline_views``), or any number that no table has.
"""

from __future__ import annotations

from rga.warehouse.schema import View

# Of rows of v_headline: 1 in the direction of harm. Ranks are those of the same question, asked where more is worse or better.
SIGN = "CASE direction WHEN 'more_is_better' THEN -1 WHEN 'more_is_worse' THEN 1 END"
_RANKED = "gap IS NOT NULL AND direction <> 'neutral' AND comparability IS NULL"
_ROUND = f"OVER (PARTITION BY round, indicator, simulated, {_RANKED}"
RANKS = f"""CASE WHEN {_RANKED} THEN rank() {_ROUND} ORDER BY {SIGN} * gap DESC) END AS rank,
           CASE WHEN {_RANKED} THEN count(*) {_ROUND}) END AS countries"""
RANK = "Rank among countries of the round, 1 where women are worst off; null where the question was altered, or no harm is known"
COUNTRIES = "Countries that are ranked"

RANKING = View(
    "v_gap_ranking",
    "Countries of a round by how much worse off women are, of indicators that say whether more is worse: one row per round, "
    "indicator and country. Ranks do not show that neighbours differ: compare the limits. A country that asked something else is "
    "not ranked.",
    f"""
    WITH towards AS (SELECT *, {SIGN} AS sign FROM v_headline WHERE gap IS NOT NULL AND direction <> 'neutral')
    SELECT round, indicator, title, country, country_name, {RANKS}, sign * gap AS disadvantage,
           CASE sign WHEN 1 THEN gap_low ELSE -gap_high END AS disadvantage_low,
           CASE sign WHEN 1 THEN gap_high ELSE -gap_low END AS disadvantage_high,
           women, men, gap, verdict, direction, rounded_to, obs_status, survey_id, comparability, caution, survey_status, mode,
           sample_type, simulated
    FROM towards
    """,
    of="gender_gaps",
    about={
        "rank": RANK,
        "countries": COUNTRIES,
        "disadvantage": "The gap in the direction of harm, percentage points: above 0 women are worse off",
        "disadvantage_low": "Lower 95 % limit of disadvantage",
        "disadvantage_high": "Upper 95 % limit of disadvantage",
    },
)

TREND = View(
    "v_trend",
    "What changed from one round to another: everybody, women, men, and the gap between them. Rounds that may not be compared "
    "have one row, with the reason and no numbers.",
    """
    SELECT c.country, n.name AS country_name, c.indicator, i.title, i.direction,
           CASE WHEN c.measure = 'gap' THEN 'gap' WHEN c.sex = 'F' THEN 'women' WHEN c.sex = 'M' THEN 'men' ELSE 'everybody' END
             AS who,
           c.earlier_round, c.later_round, c.earlier, c.later, c.change, c.ci_low, c.ci_high, c.p_adjusted,
           CASE WHEN NOT c.comparable THEN 'not comparable' WHEN c.change IS NULL AND c.conf_status = 'C' THEN 'withheld'
                WHEN c.change IS NULL THEN 'too few cases' WHEN NOT coalesce(c.p_adjusted <= 0.05, FALSE) THEN 'no clear change'
                WHEN c.measure = 'gap' AND i.direction <> 'neutral'
                THEN CASE WHEN (c.change > 0) = (i.direction = 'more_is_worse') THEN 'moved against women'
                          ELSE 'moved against men' END
                WHEN c.change > 0 THEN 'rose' ELSE 'fell' END AS verdict,
           c.rounded_to, c.n_earlier, c.n_later, c.sample, c.comparability, c.reason, c.simulated
    FROM changes c JOIN indicators i USING (indicator) JOIN countries n ON n.iso3 = c.country
    WHERE c.breakdown IN ('total', 'sex') AND (c.measure = 'gap' OR c.sex IN ('_T', 'F', 'M'))
    """,
    of="changes",
    about={
        "who": "everybody, women or men; or gap: of women - men",
        "verdict": "rose or fell, where p_adjusted <= 0.05; of a gap whom it moved against, whoever was worse off before; or no "
        "clear change; or why nothing is said: not comparable (reason), too few cases, withheld to protect answers",
    },
)

PROFILE = View(
    "v_country_profile",
    "A country at its latest round that asked: one row per country and indicator, with rank among countries and change of the gap.",
    f"""
    WITH ranked AS (
        SELECT *, {RANKS}, max(round) OVER (PARTITION BY country, indicator, simulated) AS latest FROM v_headline
    ), last_change AS (
        SELECT country, indicator, earlier_round, later_round, change, verdict, simulated FROM v_trend WHERE who = 'gap'
        QUALIFY earlier_round = max(earlier_round) OVER (PARTITION BY country, indicator, later_round, simulated)
    )
    SELECT h.country, h.country_name, h.module, h.indicator, h.title, h.round, h.everybody, h.women, h.men, h.gap, h.gap_low,
           h.gap_high, h.verdict, h.rounded_to, h.obs_status, h.adjusted_gap, h.adjusted_status, h.rank, h.countries,
           t.earlier_round, t.change AS gap_change, t.verdict AS gap_trend,
           h.direction, h.survey_id, h.comparability, h.caution, h.survey_status, h.mode, h.sample_type, h.simulated
    FROM ranked h
    LEFT JOIN last_change t ON t.country = h.country AND t.indicator = h.indicator AND t.later_round = h.round
        AND t.simulated = h.simulated
    WHERE h.round = h.latest
    """,
    of="gender_gaps",
    about={
        "rank": RANK,
        "countries": COUNTRIES,
        "earlier_round": "Round before that the gap is compared with; null where there is none",
        "gap_change": "Gap of this round less that of the earlier one, percentage points",
        "gap_trend": "Verdict of v_trend on gap_change",
    },
)

FURTHEST = View(
    "v_furthest_behind",
    "The three groups furthest behind of every survey and indicator that has a direction, in words.",
    """
    SELECT f.country, n.name AS country_name, f.round, f.indicator, i.title, f.rank, f.group_label, f.value, f.ci_low, f.ci_high,
           f.total, f.gap_to_total, f.gap_low, f.gap_high, f.worse_than_total, f.rank_low, f.rank_high, f.groups, f.n, f.population,
           f.rounded_to, f.obs_status, f.comparability, s.caution, s.status AS survey_status, f.survey_id, s.mode, s.sample_type,
           f.simulated
    FROM furthest_behind f
    JOIN indicators i USING (indicator)
    JOIN surveys s USING (survey_id)
    JOIN countries n ON n.iso3 = f.country
    WHERE f.rank <= 3
    """,
    of="furthest_behind",
    about={
        "gap_low": "Lower limit of gap_to_total, 95 % for all groups at once",
        "gap_high": "Upper limit of gap_to_total, 95 % for all groups at once",
        "mode": "Mode of data collection: sms, web, cati, ivr, capi, mixed",
        "sample_type": "probability; or non_probability: people chose themselves to answer, and errors do not show what that does",
    },
)

REGIONAL = View(
    "v_regional",
    "The surveyed countries of a round together, by two rules: everybody, women, men and the gap, and how much countries differ "
    "in it. One row per round, indicator and rule; not representative of a region.",
    """
    SELECT g.round, i.module, g.indicator, i.title, i.direction, g.aggregation,
           CASE WHEN t.country_list = g.country_list THEN t.value END AS everybody, g.women, g.men, g.gap,
           g.ci_low AS gap_low, g.ci_high AS gap_high, g.p_adjusted, g.gap_within_countries,
           g.without_low AS gap_without_low, g.without_high AS gap_without_high, g.rounded_to,
           h.i2, h.prediction_low, h.prediction_high, g.countries, g.country_list, g.left_out_list, g.n_women, g.n_men, g.simulated
    FROM regional_gaps g
    JOIN indicators i USING (indicator)
    LEFT JOIN regional_estimates t ON t.round = g.round AND t.indicator = g.indicator AND t.aggregation = g.aggregation
        AND t.simulated = g.simulated AND t.sex = '_T'
    LEFT JOIN gap_heterogeneity h ON h.round = g.round AND h.indicator = g.indicator AND h.simulated = g.simulated
    """,
    of="regional_gaps",
    about={
        "everybody": "Share of everybody, per cent; null where it is known of other countries than the gap is (regional_estimates)",
        "women": "Share of women, per cent",
        "men": "Share of men, per cent",
        "gap": "women - men, percentage points",
        "gap_without_low": "Lowest gap when one country is left out",
        "gap_without_high": "Highest gap when one country is left out",
        "i2": "Per cent of the variation between countries' gaps that is no sampling error (table gap_heterogeneity)",
        "prediction_low": "Lower limit of the gap that one more country like these would have, 95 %",
        "prediction_high": "Upper limit of it",
    },
)

LEFT_OUT = View(
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
    of="estimates",
    about={"reason": "Why the crossing has no row"},
)

COMPARISONS = [RANKING, TREND, PROFILE, FURTHEST, REGIONAL, LEFT_OUT]
