"""Gaps between women and men with other circumstances held equal, one survey at a time.

Belongs here: which indicator is adjusted for what, proportions into percentage points. Not here: regressions (``rga.survey``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import pandas as pd

from assets.estimates import weighted_respondents
from assets.metadata import of_table
from assets.processes import each
from assets.publication_beside import adjusted_as_published
from assets.workspace import ESTIMATES, Progress, Workspace, begun, failed, succeeded
from rga.microdata.catalogue import Catalogue
from rga.microdata.data_root import DataRoot
from rga.survey import Share, obs_status
from rga.survey.adjustment import Model, model, results
from rga.survey.blas import one_blas_thread
from rga.survey.decomposition import NONLINEAR
from rga.survey.sample import sample_of
from rga.warehouse.columns import FACTS
from rga.warehouse.staging import Staging
from rga.warehouse.tables import table

STAGE = "adjusted_gaps"
TABLES = ("adjusted_gaps", "gap_decomposition")
COVARIATES = ("age_group", "education", "residence", "marital_status", "children", "employment")
WHOLE = ("gap", "adjusted_gap", "composition")  # the others are parts of the composition
NUMBERS = {"composition": "value", "se": "se", "ci_low": "ci_low", "ci_high": "ci_high"}
FLAG_BELOW = 10.0  # cases per coefficient: Peduzzi et al. 1996; below 5 (`rga.survey.adjustment.Limits`) there is no number


def tables_of(root: DataRoot, staging: Staging, survey_id: str) -> dict[str, pd.DataFrame]:
    """Rows of `adjusted_gaps` and `gap_decomposition` of one survey, as far as its gaps are shown.

    Raises InputError where its design forbids estimates.
    """
    adjusted, parts = computed(root, staging, survey_id)
    gaps, rules = staging.read("gender_gaps", [survey_id]), root.publication_rules.disclosure
    return dict(zip(TABLES, adjusted_as_published(adjusted, parts, gaps, rules), strict=True))


def computed(root: DataRoot, staging: Staging, survey_id: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All that can be computed of both, which gives away what is hidden: it is not to be kept."""
    catalogue, design = root.catalogue(), root.specification(survey_id).design
    coverage = staging.read("coverage", [survey_id]).set_index("indicator")["status"]
    own = part_of_indicator(catalogue, root.specification(survey_id).harmonised_columns)
    asked = [code for code in catalogue.indicators if coverage[code] != "not_asked" and "sex" not in own[code]]
    if not asked:
        return pd.DataFrame({"survey_id": []}), pd.DataFrame({"survey_id": []})
    covariates = [name for name in COVARIATES if name in catalogue.columns]
    row = staging.read("surveys", [survey_id]).iloc[0]
    facts = {name: row[name] for name in FACTS}
    with duckdb.connect(config={"threads": 1}) as connection:  # each is small, and others are at work
        unread = set(catalogue.columns).difference(["sex", *covariates], *map(catalogue.reads, asked))
        drawn = replace(weighted_respondents(connection, staging, [survey_id], unread), lonely_psu=design.lonely_psu)
        shares = [Share(code, catalogue.indicators[code].universe, catalogue.indicators[code].numerator) for code in asked]
        reasons = {code: dict.fromkeys(own[code] & set(covariates), "part of the indicator") for code in asked}
        with sample_of((connection, "weighted"), drawn) as sample:
            found = model(sample, shares, covariates, reasons)
            effects = results(found)
    adjusted = _adjusted(found, asked, effects)
    apart = _apart(found, asked, effects, (adjusted["obs_status"] != "Q").to_numpy())
    return adjusted.assign(**facts), apart.assign(**facts)


def part_of_indicator(catalogue: Catalogue, given: set[str]) -> dict[str, set[str]]:
    """By indicator, the variables that its numerator is made of: to adjust for them would explain it by itself."""
    sources = {name: catalogue.sources({name}, given) for name in (*COVARIATES, "sex") if name in catalogue.columns}
    found = {}
    for code, indicator in catalogue.indicators.items():
        used = catalogue.sources(catalogue.check(indicator.numerator), given)
        found[code] = {name for name, of in sources.items() if of & used}
    return found


def _apart(found: Model, asked: list[str], effects: pd.DataFrame, shown: np.ndarray) -> pd.DataFrame:
    """Rows of `gap_decomposition`: of indicators whose adjusted gap is ``shown``, the part of each covariate that was taken."""
    kept = shown[effects["outcome"]] & ~effects["effect"].isin(WHOLE).to_numpy()
    parts = effects[kept]
    taken = {
        (k, text.split(" ")[0]) for k, names in enumerate(found.adjustment.adjusted_for) if names for text in [*names, NONLINEAR]
    }
    parts = parts[[pair in taken for pair in zip(parts["outcome"], parts["effect"], strict=True)]]
    numbers = {name: 100 * parts[of].to_numpy() for name, of in NUMBERS.items()}
    return pd.DataFrame({**numbers, "indicator": np.array(asked, dtype=object)[parts["outcome"]], "variable": parts["effect"]})


def _adjusted(found: Model, asked: list[str], effects: pd.DataFrame) -> pd.DataFrame:
    said = found.adjustment
    whole = {name: effects[effects["effect"] == name] for name in WHOLE}
    rest, composition = whole["adjusted_gap"], whole["composition"]
    numbers = {
        "gap": whole["gap"]["value"], "adjusted_gap": rest["value"], "se": rest["se"],
        "ci_low": rest["ci_low"], "ci_high": rest["ci_high"],
        "composition": composition["value"], "composition_se": composition["se"],
        "composition_low": composition["ci_low"], "composition_high": composition["ci_high"],
    }  # fmt: skip
    values, p_value, df = np.full((len(asked), len(numbers)), np.nan), np.full(len(asked), np.nan), np.zeros(len(asked), np.int64)
    values[said.fitted] = 100 * np.column_stack(list(numbers.values()))
    p_value[said.fitted], df[said.fitted] = rest["p_value"], rest["df"]
    status = obs_status(np.minimum(said.n_women, said.n_men), df)
    status = np.where((status == "A") & (said.per_coefficient < FLAG_BELOW), "U", status)
    columns = dict(zip(numbers, values.T, strict=True))
    hidden = (status == "Q") | np.isnan(columns["se"]) | np.isnan(columns["composition_se"])
    shown = {name: np.where(hidden, np.nan, column) for name, column in {**columns, "p_value": p_value}.items()}
    fitted = np.isin(np.arange(len(asked)), said.fitted)
    return pd.DataFrame(
        {
            "indicator": asked, "status": said.status, "n": said.n, "n_women": said.n_women, "n_men": said.n_men,
            "adjusted_for": pd.Series([", ".join(names) for names in said.adjusted_for], dtype="string"),
            "left_out": pd.Series(["; ".join(names) or None for names in said.left_out], dtype="string"),
            "reason": pd.Series([text or None for text in said.reason], dtype="string"),
            **shown, "df": pd.arrays.IntegerArray(df, ~fitted),
            "obs_status": np.where(hidden, "Q", status),
            "p_adjusted": np.nan,  # of what is shown: `adjusted_as_published`
            "conf_status": "F",
        }
    )  # fmt: skip


@dg.multi_asset(
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill makes all that follows the surveys in one run
    name="adjustment",
    specs=[
        dg.AssetSpec(
            "adjusted_gaps",
            deps=["estimates"],
            group_name=ESTIMATES,
            kinds={"duckdb"},
            owners=["team:statistics"],
            description=(
                "**Women minus men who are alike in age, education, residence, marital status, children and employment**: average "
                "marginal effect of a survey-weighted logistic regression, with its linearised standard error, and what of the gap "
                "comes of composition.\n\nWhere a regression has no estimate the row says why."
            ),
        ),
        dg.AssetSpec(
            "gap_decomposition",
            deps=["estimates"],
            group_name=ESTIMATES,
            kinds={"duckdb"},
            owners=["team:statistics"],
            description=(
                "**What each covariate adds to the composition of a gap**, in percentage points (Kitagawa-Oaxaca-Blinder, by "
                "the pooled regression of `adjusted_gaps`)."
            ),
        ),
    ],
)
def adjustment(
    context: dg.AssetExecutionContext, workspace: Workspace, progress: dg.ResourceParam[Progress]
) -> Iterator[dg.MaterializeResult]:
    root, staging = workspace.paths.data_root(), workspace.paths.staging()
    root.catalogue()
    due = [key for key, entry in staging.manifest().items() if is_due(staging, key, entry)]
    progress.begin("adjusted gaps", len(due))
    before = begun(staging, due, "adjusted")
    for key, error in zip(due, each(partial(stage_tables, root, staging), due), strict=True):
        progress.step(key)
        if error:
            failed(staging, key, STAGE, error, context.log, adjusted=before[key])
        else:
            succeeded(staging, key, STAGE, adjusted=staging.manifest()[key]["fingerprint"])
    for name in TABLES:
        frame = staging.read(name, sorted(staging.manifest()))
        facts: dict[str, Any] = of_table(table(name, []), len(frame), frame) | {"computed": due}
        if "status" in frame:
            facts["statuses"] = dg.MetadataValue.json({str(k): int(n) for k, n in frame["status"].value_counts().items()})
        yield dg.MaterializeResult(name, metadata=facts)


def is_due(staging: Staging, survey_id: str, entry: Mapping[str, Any]) -> bool:
    """Whether the estimates are of the survey as it is, and the adjusted gaps are not."""
    if not entry["fingerprint"] or entry.get("estimated") != entry["fingerprint"]:
        return False
    made = all(staging.table(name, survey_id).is_file() for name in TABLES)
    return not made or entry.get("adjusted") != entry["fingerprint"]


@one_blas_thread
def stage_tables(root: DataRoot, staging: Staging, survey_id: str) -> None:
    """Compute and write the rows of one survey. Raises InputError where its design forbids estimates."""
    for name, frame in tables_of(root, staging, survey_id).items():
        staging.write(table(name, []).as_printed(frame), staging.table(name, survey_id))
