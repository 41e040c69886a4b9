"""What only the data team knows, handed over to the attacker of a release: which hidden counts are secrets, and the weights."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd

from assets.estimates import sums_of, weighted_respondents
from rga.microdata.data_root import DataRoot
from rga.survey import estimates_and_gaps
from rga.survey.design import MISSING, TOTAL, breakdown_name
from rga.survey.secrets import values_of
from rga.warehouse.attack.findings import HandedOver
from rga.warehouse.staging import Staging

KEY = ["survey_id", "indicator", "statistic", "category", "breakdown"]


def counts(root: DataRoot, staging: Staging, survey_id: str) -> pd.DataFrame:
    """The library's table of shares in every cell, in published codes: with numerator_n, and every number as it was computed."""
    catalogue = root.catalogue()
    sums = sums_of(staging, [survey_id], catalogue)
    frame, _ = estimates_and_gaps(sums, catalogue.breakdowns, root.specification(survey_id).design.lonely_psu)
    for name in catalogue.dimensions:
        frame[name] = frame[name].replace(catalogue.columns[name].sdmx)
    keys = [*KEY, *catalogue.dimensions]
    return frame[frame["statistic"] == "share"].astype(dict.fromkeys(keys, "str"))


def handed_over(
    release: duckdb.DuckDBPyConnection, root: DataRoot, staging: Staging, survey_id: str, weights: bool, knows: bool = False
) -> HandedOver:
    catalogue = root.catalogue()
    keys = [*KEY, *catalogue.dimensions]
    shown = release.execute("SELECT * FROM estimates WHERE survey_id = ? AND statistic = 'share'", [survey_id]).df()
    shown = shown.astype(dict.fromkeys(keys, "str"))[[*keys, "n", "value", "conf_status"]]
    frame = shown.merge(counts(root, staging, survey_id)[[*keys, "numerator_n"]], on=keys, validate="one_to_one")
    assert len(frame) == len(shown)
    withheld = (frame["value"].isna() & (frame["conf_status"] != "C")).to_numpy()
    every = np.ones(len(frame), dtype=bool)
    count, n = frame["numerator_n"].to_numpy(np.float64), frame["n"].to_numpy(np.float64)
    values = values_of(count, n, withheld, every, root.publication_rules.disclosure)
    secrets = frame.assign(secret=values.secret, labelled=values.labelled)
    return HandedOver(secrets, weights_by_cell(root, staging, survey_id) if weights else None, knows)


def weights_by_cell(root: DataRoot, staging: Staging, survey_id: str) -> pd.DataFrame:
    """In the base of every cell of `estimates`, how many respondents have each weight."""
    catalogue = root.catalogue()
    parts = []
    with duckdb.connect() as connection:
        weighted_respondents(connection, staging, [survey_id])
        dimensions = ", ".join(f"coalesce({name}, '{MISSING}') AS {name}" for name in catalogue.dimensions)
        connection.execute(
            f"CREATE TABLE people AS SELECT * EXCLUDE ({', '.join(catalogue.dimensions)}), {dimensions} FROM weighted"
        )
        for code, item in catalogue.indicators.items():
            for by in catalogue.breakdowns:
                names = "".join(f"{name}, " for name in by)
                rows = connection.execute(
                    f"SELECT {names} min(weight) AS weight, count(*) AS respondents FROM people WHERE ({item.universe or 'TRUE'}) "
                    f"AND ({item.numerator}) IS NOT NULL GROUP BY {names} round(weight / (SELECT avg(weight) FROM people), 10)"
                ).df()
                parts.append(rows.assign(indicator=code, breakdown=breakdown_name(by)))
    found = pd.concat(parts, ignore_index=True).assign(survey_id=survey_id, statistic="share", category=TOTAL)
    for name in catalogue.dimensions:
        found[name] = found[name].fillna(TOTAL).replace(catalogue.columns[name].sdmx)
    return found


def printed_to_all_digits(
    release: duckdb.DuckDBPyConnection, root: DataRoot, staging: Staging, survey_id: str
) -> tuple[duckdb.DuckDBPyConnection, pd.DataFrame]:
    """The survey as releases were until numbers were rounded: what ``release`` hides is hidden, all else printed as it was
    computed. And the true counts."""
    dimensions = root.catalogue().dimensions
    keys = [*KEY, *dimensions]
    shown = release.execute("SELECT * FROM estimates WHERE survey_id = ? AND statistic = 'share'", [survey_id]).df()
    exact = counts(root, staging, survey_id)[[*keys, "numerator_n", "value", "population"]]
    shown = shown.astype(dict.fromkeys(keys, "str")).drop(columns=["population", "precision", "rounded_to"])
    both = shown.rename(columns={"value": "printed"}).merge(exact, on=keys, validate="one_to_one")
    estimates = both.assign(value=(100 * both["value"]).where(both["printed"].notna()))
    margins, steps = (
        release.execute(f"SELECT * FROM {table} WHERE survey_id = ? ORDER BY ALL", [survey_id]).df()
        for table in ("margins", "weighting")
    )
    with duckdb.connect() as connection:
        weighted_respondents(connection, staging, [survey_id])
        found = connection.execute("SELECT weight, margin_1, margin_2 FROM weighted").df()
    last = steps.index[-1]
    steps.loc[last, ["sum_of_weights", "min_weight", "max_weight"]] = [found["weight"].agg(how) for how in ("sum", "min", "max")]
    after = {
        name: found.groupby(side)["weight"].sum()
        for name, side in zip(margins["margin"].unique(), ("margin_1", "margin_2"), strict=True)
    }
    margins["after"] = [after[row.margin][row.category] for row in margins.itertuples()]
    tables = {"estimates": estimates.drop(columns=["printed", "numerator_n"]), "margins": margins, "weighting": steps}
    tables["breakdowns"] = release.execute("FROM breakdowns").df()
    tables["surveys"] = pd.DataFrame({"survey_id": [survey_id]})
    connection = duckdb.connect()
    for name, frame in tables.items():
        connection.register("frame", frame)
        connection.execute(f"CREATE TABLE {name} AS FROM frame").fetchall()
    return connection, estimates
