"""Columns that several published tables share.

Belongs here: a column's one type and comment. Not here: which table has it (``tables``).
"""

from __future__ import annotations

from collections.abc import Sequence

from rga.warehouse.schema import DIGITS, Column

ALL_DIGITS = 12  # of what is rounded where it is made, or comes from elsewhere; not the last ones of floating point

SURVEY_ID = Column(
    "survey_id",
    "VARCHAR",
    "Round and country, such as 2020-r1_BGD",
    check="regexp_matches(survey_id, '^[0-9]{4}-r[0-9]+_[A-Z]{3}$')",
)
COUNTRY = Column("country", "VARCHAR", "ISO 3166-1 alpha-3 code")
ROUND = Column("round", "VARCHAR", "Round, such as 2020-r1")
YEAR = Column("year", "INTEGER", "Year of the round")
INDICATOR = Column("indicator", "VARCHAR", "Code of the indicator (table indicators)")
SIMULATED = Column("simulated", "BOOLEAN", "True: made from simulated data, no finding about any real population")
FACTS = [column.name for column in (SURVEY_ID, COUNTRY, ROUND, YEAR, SIMULATED)]  # of the survey, in each of its rows
DF = Column("df", "INTEGER", "Degrees of freedom: PSUs minus strata with respondents in the cell's base", nullable=True)
STATUS = [
    Column(
        "obs_status",
        "obs_status",
        "SDMX observation status: A normal, U low reliability, Q suppressed",
    ),
    Column(
        "conf_status", "conf_status", "SDMX confidentiality status: F free; C hidden to protect answers, its own or another cell's"
    ),
]
MODE = Column("mode", "VARCHAR", "Mode of data collection: sms, web, cati, ivr, capi, mixed")
SAMPLE_TYPE = Column(
    "sample_type",
    "sample_type",
    "probability; or non_probability: people chose themselves to answer, and errors do not show what that does",
)
COMPARABILITY = Column("comparability", "VARCHAR", "How the question differed from the catalogue's; null where it did not", True)
STATISTIC = [
    Column("statistic", "statistic", "What is estimated: share (per cent), mean, median, total"),
    Column("category", "VARCHAR", "Category of a distribution; _T otherwise"),
]
DIMENSION = {
    "sex": "Sex (SDMX): F women, M men, _O other, _U unknown, _T all",
    "age_group": "Age group (SDMX): Y18T24 ... Y_GE65, _U unknown, _T all",
    "residence": "Place of residence: U urban, R rural, _U unknown, _T all",
}


def text(name: str, comment: str, nullable: bool = False) -> Column:
    return Column(name, "VARCHAR", comment, nullable)


def number(name: str, comment: str, nullable: bool = True, check: str = "", digits: int = DIGITS) -> Column:
    return Column(name, "DOUBLE", comment, nullable, check, digits)


def stepped(name: str, comment: str, nullable: bool = True, check: str = "") -> Column:
    """A number that has its step already, or is a sum or difference of such."""
    return Column(name, "DOUBLE", comment, nullable, check, ALL_DIGITS)


def count(name: str, comment: str, nullable: bool = False) -> Column:
    return Column(name, "BIGINT", comment, nullable, f"{name} >= 0")


def dimension_columns(names: Sequence[str]) -> list[Column]:
    return [text(name, DIMENSION.get(name, f"{name}: a code of the variable, _U unknown, _T all")) for name in names]
