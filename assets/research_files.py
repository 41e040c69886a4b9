"""Staged respondents and weights into research files, one per survey, with a risk report beside each.

Belongs here: what is read and which files are written. Not here: anonymising, risk, formats (``rga.privacy``).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.microdata.data_root import DataRoot
from rga.privacy.accuracy import refuse_inaccurate
from rga.privacy.anonymise import anonymise
from rga.privacy.headlines import answers, compared, published
from rga.privacy.replicate_weights import replicate_weights
from rga.privacy.report import Account, as_data, as_markdown
from rga.privacy.research_file import Format, assembled, write
from rga.privacy.risk import diversity, risk
from rga.privacy.rules import PrivacyRules, load_rules
from rga.privacy.shown_weights import largest_difference, shown_margins, shown_weights
from rga.privacy.variance_groups import variance_groups
from rga.survey import TOTAL
from rga.warehouse.staging import Staging

REPLICATES = 200
LEDGER = "research-files.json"  # under which rules each survey has been exported


@dataclass(frozen=True)
class ResearchFile:
    """Where one survey's file is, and what there is to say of it in a line."""

    path: Path
    k: int
    respondents: int
    affected: int
    recoded: int


def export_survey(
    root: DataRoot,
    staging: Staging,
    survey_id: str,
    folder: Path,
    form: Format,
    replicates: int = REPLICATES,
    seed: int | None = None,
) -> ResearchFile:
    """Write one survey's file and report into ``folder``.

    Ids, order and replicates are random at each export, variance groups follow from the survey's data; ``seed`` is for tests.
    Raises InputError, and writes nothing, where the survey is not staged whole, is not k-anonymous, or where the file would be too
    far from its published headline figures.
    """
    entry = staging.manifest().get(survey_id, {})
    if not staging.is_complete(survey_id) or not entry.get("fingerprint"):
        raise InputError(Problem("has no respondents in the warehouse", "build it first: `rga build`", file=survey_id))
    tables = (staging.table(name, survey_id) for name in ("estimates", "gender_gaps"))
    if entry.get("estimated") != entry["fingerprint"] or not all(path.is_file() for path in tables):
        raise InputError(Problem("has no estimates of these respondents", "build it first: `rga build`", file=survey_id))
    catalogue, specification = root.catalogue(), root.specification(survey_id)
    rules = load_rules(root.path / "catalogue", catalogue)
    k = rules.k
    ledger = _under_the_same_rules(staging, survey_id, rules)
    keys = ["survey_id", "respondent_id"]
    frames = (staging.read_restricted(name, survey_id) for name in ("respondents", "weights"))
    respondents, weights = frames
    data = respondents.merge(weights, on=keys, validate="1:1").query("weight > 0").reset_index(drop=True)
    done = anonymise(data, catalogue, rules, k, survey_id)
    given = answers(done.columns, data, catalogue)
    figures = published(staging.read("estimates", [survey_id]), staging.read("gender_gaps", [survey_id]))
    of_survey = data["weight"].to_numpy(dtype=float)
    crossings = _calibrated_on(specification.weighting)
    reads = {code: sorted(catalogue.reads(code)) for code in catalogue.indicators}
    sums = dict.fromkeys([*crossings, *done.quasi, *_of_nothing_hidden(done.columns, reads, figures)])
    sums |= _mean_weights(staging.read("margins", [survey_id]), data, crossings)
    weight = shown_weights(of_survey, done.columns, sums, k, given, figures)
    group = variance_groups(data, done.known, _dealing(data), survey_id)
    drawn = secrets.randbits(64) if seed is None else seed
    margins = shown_margins(done.columns, crossings, k)
    replicate = replicate_weights(weight, group, margins, replicates, drawn, given, figures)
    figures = compared(figures, given, weight, replicate)
    refuse_inaccurate(figures, reads, survey_id)
    sensitive = [name for variable in rules.sensitive for name in _columns_of(variable, done.columns)]
    told = Account(
        survey_id=survey_id,
        title=specification.title,
        simulated=specification.simulated,
        k=k,
        anonymised=done,
        before=risk(done.before, of_survey, k, data[["weight", "stratum", "psu"]]),
        after=risk(done.known, weight, k, None if group is None else pd.DataFrame({"group": group})),
        diversity={name: diversity(done.known, done.columns[name].values) for name in sensitive},
        replicates=replicates,
        recalibrated=not margins.empty,
        groups=None if group is None else int(group.max()) + 1,
        difference=largest_difference(done.columns, of_survey, weight),
        figures=figures,
        left_out=given.left_out,
        notes=[*_fpc(data), *_continuous(specification.weighting)],
    )
    if told.after.below:
        raise AssertionError(f"{survey_id}: anonymised and yet {told.after.below} respondents in classes below {k}")
    (staging.warehouse / LEDGER).write_text(json.dumps(ledger, indent=1), encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{survey_id}.{form}"
    columns = assembled(done.columns, weight, replicate, specification.simulated, seed)
    write(columns, path, specification.title, specification.simulated)
    (folder / f"{survey_id}-risk.json").write_text(json.dumps(as_data(told), indent=1, ensure_ascii=False), encoding="utf-8")
    (folder / f"{survey_id}-risk.md").write_text(as_markdown(told), encoding="utf-8")
    return ResearchFile(path, told.after.k, len(data), done.affected, len(done.recoded))


def _under_the_same_rules(staging: Staging, survey_id: str, rules: PrivacyRules) -> dict[str, dict[str, str | int]]:
    """What the ledger holds once this survey is exported. Raises InputError where it was exported under other rules: two files of
    one survey, coarsened in two ways, tell together what neither does."""
    path = staging.warehouse / LEDGER
    ledger = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    entry = {"k": rules.k, "rules": hashlib.sha256(rules.model_dump_json().encode()).hexdigest()}
    if (before := ledger.get(survey_id, entry)) != entry:
        raise InputError(
            Problem(
                f"was exported before under other rules (k = {before['k']}); two files coarsened in two ways tell more than either",
                f"go back to those rules; or withdraw every earlier file, and delete its entry from {LEDGER} in the warehouse",
                file="catalogue/privacy.yaml",
                variable=survey_id,
            )
        )
    return ledger | {survey_id: entry}


def _columns_of(variable: str, columns: dict) -> list[str]:
    return [name for name in columns if name == variable or name.startswith(f"{variable}_")]


def _calibrated_on(steps: list) -> list[str]:
    """The margins of the last calibration."""
    return next((step.margins for step in reversed(steps) if step.step == "calibrate"), [])


def _of_nothing_hidden(columns: Iterable[str], reads: Mapping[str, Iterable[str]], figures: pd.DataFrame) -> list[str]:
    """Those of ``columns`` of which no indicator's share of everybody is hidden: sums of weights would tell it."""
    printed = set(figures.loc[figures["of"] == TOTAL, "indicator"])
    hidden = {name for code, names in reads.items() if code not in printed for name in names}
    return [name for name in columns if name not in hidden]


def _mean_weights(margins: pd.DataFrame, data: pd.DataFrame, crossings: list[str]) -> dict[str, np.ndarray]:
    """By crossing, the mean weight of each respondent's category in the published table `margins`: where all categories of the
    survey's respondents are in it."""
    found = {}
    of_categories = margins[margins["category"] != TOTAL] if len(margins) else pd.DataFrame({"margin": []})
    for number, (margin, rows) in enumerate(of_categories.groupby("margin", sort=False), 1):
        if margin in crossings and f"margin_{number}" in data:
            mean = data[f"margin_{number}"].map(dict(zip(rows["category"], rows["after"] / rows["n"], strict=True)))
            if mean.notna().all():
                found[str(margin)] = mean.to_numpy(dtype=float) * data["weight"].sum() / mean.sum()
    return found


def _dealing(data: pd.DataFrame) -> int:
    """A seed that only who has the survey's data can know, the same at every export: PSUs dealt anew each time would be found
    again where the groups of two files meet."""
    return int.from_bytes(hashlib.sha256(pd.util.hash_pandas_object(data, index=False).to_numpy().tobytes()).digest())


def _fpc(data: pd.DataFrame) -> list[str]:
    note = "replicates leave the finite population correction out: standard errors from them are somewhat too large"
    return [note] if data["fpc"].notna().any() else []


def _continuous(steps: list) -> list[str]:
    numbers = sorted({name for step in steps for name in getattr(step, "numbers", []) if step.step == "calibrate"})
    return [f"replicates are not calibrated again to the mean of {', '.join(numbers)}"] if numbers else []
