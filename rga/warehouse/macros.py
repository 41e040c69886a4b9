"""Table macros: one indicator, one country, by a name that a person would write.

Belongs here: their SQL, and what they say to a name that nothing has. Not here: views (``headline_views``, ``comparison_views``).
"""

from __future__ import annotations

from rga.warehouse.comparison_views import PROFILE, SIGN, TREND
from rga.warehouse.schema import View

_INDICATOR = """asked AS (
        SELECT indicator FROM indicators WHERE upper(indicator) = upper(indicator_code::VARCHAR)
        UNION ALL
        SELECT error('There is no indicator ' || indicator_code::VARCHAR || '. Did you mean ' || indicator
                     || '? FROM indicators has all of them.')::VARCHAR
        FROM (SELECT indicator FROM indicators
              ORDER BY jaro_winkler_similarity(upper(indicator), upper(indicator_code::VARCHAR)) DESC LIMIT 1)
        WHERE NOT EXISTS (FROM indicators WHERE upper(indicator) = upper(indicator_code::VARCHAR))
    )"""
_ROUND = """of_round AS (
        SELECT round FROM rounds WHERE lower(round_id::VARCHAR) IN (lower(round), year::VARCHAR)
        UNION ALL
        SELECT error('There is no round ' || round_id::VARCHAR || '. There are: ' || rounds || '.')::VARCHAR
        FROM (SELECT string_agg(round, ', ' ORDER BY round) AS rounds FROM rounds)
        WHERE NOT EXISTS (FROM rounds WHERE lower(round_id::VARCHAR) IN (lower(round), year::VARCHAR))
    )"""
_COUNTRY = """of_country AS (
        SELECT iso3 AS country FROM countries WHERE lower(code_or_name) IN (lower(iso3), lower(name))
        UNION ALL
        SELECT error('There is no survey of ' || code_or_name || '. There are: ' || known || '.')::VARCHAR
        FROM (SELECT string_agg(iso3 || ' ' || name, ', ' ORDER BY iso3) AS known FROM countries)
        WHERE NOT EXISTS (FROM countries WHERE lower(code_or_name) IN (lower(iso3), lower(name)))
    )"""

MACROS = [
    View(
        "gap",
        "Women and men in one indicator and round (or year), in each country surveyed, where women are worst off first: "
        "FROM gap('UDW_INC_ANY', '2020-r1').",
        f"""
    WITH {_INDICATOR}, {_ROUND}
    SELECT s.country, n.name AS country_name, h.women, h.men, h.gap, h.gap_low, h.gap_high, h.p_adjusted,
           coalesce(h.verdict::VARCHAR, 'not asked') AS verdict, h.rounded_to, h.obs_status, h.adjusted_gap, h.adjusted_status,
           h.n_women, h.n_men, c.reason AS comparability, s.caution, s.status AS survey_status,
           s.sample_type, s.simulated, s.round, i.indicator, i.title, i.direction
    FROM surveys s
    JOIN of_round USING (round)
    JOIN countries n ON n.iso3 = s.country
    CROSS JOIN asked
    JOIN indicators i USING (indicator)
    LEFT JOIN coverage c ON c.survey_id = s.survey_id AND c.indicator = i.indicator
    LEFT JOIN v_headline h ON h.survey_id = s.survey_id AND h.indicator = i.indicator
    ORDER BY coalesce({SIGN.replace("direction", "i.direction")}, 1) * h.gap DESC NULLS LAST, s.country, s.round
    """,
        ("indicator_code", "round_id"),
        of="gender_gaps",
        about={"comparability": "How the question differed from the catalogue's, or why it was not asked; null where it was"},
    ),
    View(
        "trend",
        "What changed of one indicator in every country surveyed more than once: FROM trend('UDW_INC_ANY').",
        f"""
    WITH {_INDICATOR}
    SELECT v_trend.* FROM v_trend JOIN asked USING (indicator) ORDER BY country, earlier_round, later_round, who
    """,
        ("indicator_code",),
        of="changes",
        about=TREND.about,
    ),
    View(
        "profile",
        "All indicators of one country, by its code or its name, at its latest round: FROM profile('BGD'), "
        "FROM profile('Bangladesh').",
        f"""
    WITH {_COUNTRY}
    SELECT v_country_profile.* FROM v_country_profile JOIN of_country USING (country) ORDER BY module, indicator
    """,
        ("code_or_name",),
        of="gender_gaps",
        about=PROFILE.about,
    ),
]
