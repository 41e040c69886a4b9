"""One survey's files into harmonised respondents, one row each.

Belongs here: the order of the steps, identifiers, design columns, who is in the population. Not here: recoding of
a single variable (``harmonise``), weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import get_args

import duckdb
import pandas as pd
import pyarrow as pa

from rga.errors import InputError, Problem
from rga.microdata.catalogue import Catalogue, Variable
from rga.microdata.codebook import codebook
from rga.microdata.codes import canonical_code
from rga.microdata.countries import is_country
from rga.microdata.data_root import DataRoot, split_survey_id
from rga.microdata.forms import read_form
from rga.microdata.harmonise import as_number, code_counts, harmonise, is_blank, is_number
from rga.microdata.interviews import interviews
from rga.microdata.joins import one_row_per_respondent
from rga.microdata.private_columns import read_identifiers
from rga.microdata.readers import column_names, file_labels, sha256
from rga.microdata.sample import ELIGIBLE, RESPONDED, auxiliary, misused_names, names_used, responded
from rga.microdata.specification import MissingKind, Source, SurveySpecification
from rga.microdata.telling import publishable, told_or_numbered

Labels = dict[str, str]
CodeLabels = dict[str, Labels]
LARGEST_WEIGHT = 1e12  # larger ones, squared and summed, leave what a computer's numbers can hold


@dataclass(frozen=True)
class Respondents:
    """Harmonised respondents of one survey.

    ``frame`` has survey_id, respondent_id, panel_id, stratum, psu, fpc, base_weight and every column of the catalogue (null:
    missing or not asked). ``item_nonresponse`` has variable, kind, n; ``codebook`` is that of `rga.microdata.codebook`, every count
    shown. ``excluded`` counts people outside the population.

    For checks: ``kinds`` has the kind of each answer, a row per row of ``frame``; ``interviews`` minutes, interviewed and no_date
    of the same; ``code_counts`` column, code, n of all rows of the file.

    ``sample``, for weighting only: everybody the file has but those known to be outside the population and not to have answered. It
    has `responded`, `eligible` (not known to be outside), stratum, psu, base_weight and the variables that weighting steps name;
    those who responded and are eligible are the rows of ``frame``, in its order.
    """

    frame: pd.DataFrame
    item_nonresponse: pd.DataFrame
    codebook: pd.DataFrame
    excluded: int
    source_files: dict[str, str]
    sample: pd.DataFrame
    kinds: pd.DataFrame
    interviews: pd.DataFrame
    code_counts: pd.DataFrame


def prepare(root: DataRoot, survey_id: str) -> Respondents:
    """Read, join, harmonise and check one survey. Raises InputError with all that is wrong with it."""
    catalogue, specification = root.catalogue(), root.specification(survey_id)
    round_id, country = split_survey_id(survey_id)
    root.round(round_id)  # a survey without a valid round has no year
    folder = root.shown(root.folder(survey_id))
    if not is_country(country):
        raise InputError(no_country(country, folder))
    _check_names(catalogue, specification, f"{folder}/survey.yaml")
    paths = root.files(survey_id)
    hashes = {name: sha256(path) for name, path in paths.items()}
    for name, path in paths.items():
        expected = specification.files[name].sha256
        if expected and expected != hashes[name]:
            raise InputError(
                Problem(
                    f"its content has changed: sha256 is {hashes[name][:12]}..., survey.yaml says {expected[:12]}...",
                    "if the new file is the right one, write its sha256 into survey.yaml",
                    file=root.shown(path),
                )
            )
    source = one_row_per_respondent(paths, specification.respondents, specification.columns_read)
    shown = " + ".join(f"{folder}/{path.name}" for path in paths.values())
    if source.empty:
        raise InputError(Problem("has no respondents", "check the file and `respondents:`", file=shown, rows=0))
    if identifying := read_identifiers(source, specification, paths, shown):
        raise InputError(identifying)
    design, problems = _design(source, specification, survey_id, shown)
    harmonised, kinds, more = harmonise(source, catalogue, specification, shown)
    answered, unclear = responded(source, specification, shown)
    extra, uncoded = auxiliary(source, specification, shown)
    if found := problems + more + unclear + uncoded:
        raise InputError(found)
    frame = _derive(pd.concat([design, harmonised], axis=1), catalogue)[[*design.columns, *catalogue.columns]].copy()
    inside = _in_population(frame, specification)
    kept = inside & answered
    if not kept.any():
        raise InputError(
            Problem(
                f"no respondent is {specification.population.age_min} or older",
                "check `age` and `population.age_min`",
                file=shown,
                variable="age",
                rows=len(frame),
            )
        )
    named = [name for name in names_used(specification) if name in catalogue.columns]
    sample = pd.concat([frame[["stratum", "psu", "base_weight", *named]], extra], axis=1)
    sample = sample.assign(**{name: told_or_numbered(sample[name]) for name in ("stratum", "psu")})
    sample = sample.assign(**{RESPONDED: answered, ELIGIBLE: inside})
    counts = kinds[kept.to_numpy()].melt(var_name="variable", value_name="kind")
    labels = _labels(root, survey_id, specification)
    item_nonresponse = counts.groupby(["variable", "kind"], sort=True).size().rename("n").reset_index()
    return Respondents(
        frame=frame[kept].reset_index(drop=True),
        item_nonresponse=item_nonresponse,
        codebook=codebook(source[kept], harmonised[kept], kinds[kept], catalogue, specification, labels),
        excluded=int((answered & ~inside).sum()),
        source_files={paths[name].name: digest for name, digest in hashes.items()},
        sample=sample[answered | inside].reset_index(drop=True),
        kinds=kinds[kept].reset_index(drop=True),
        interviews=interviews(source, specification)[kept].reset_index(drop=True),
        code_counts=code_counts(source, specification.variables),
    )


def no_country(country: str, file: str | None = None) -> Problem:
    """What is wrong with a survey of a ``country`` that is none."""
    remedy = "name the folder by the country's three-letter code of ISO 3166-1, such as BGD"
    return Problem(f"{country} is the code of no country", remedy, file=file)


def _labels(root: DataRoot, survey_id: str, specification: SurveySpecification) -> tuple[Labels, CodeLabels]:
    """Publishable labels of mapped columns and their codes: the file's, else its form's; of the first file that has any."""
    codes = {c: [*source.codes, *source.missing] for source in specification.variables.values() for c in source.mapped_columns}
    of_columns: Labels = {}
    of_codes: CodeLabels = {}
    forms = {name: read_form(path) for name, path in root.forms(survey_id).items()}
    for name, path in root.files(survey_id).items():
        _, labels, values = file_labels(path)
        if name in forms:
            said = {column: forms[name].labels(column, codes[column]) for column in column_names(path) if column in codes}
            labels = {column: label for column, (label, _) in said.items() if label} | labels
            values = {column: value for column, (_, value) in said.items() if value} | values
        of_columns, of_codes = labels | of_columns, values | of_codes
    return (
        {name: publishable(of_columns[name]) for name in codes if name in of_columns},
        {name: {code: publishable(label) for code, label in of_codes[name].items()} for name in codes if name in of_codes},
    )


def _check_names(catalogue: Catalogue, specification: SurveySpecification, file: str) -> None:
    """The specification speaks of variables, items and codes that the catalogue knows."""
    problems = []
    for name, source in specification.variables.items():
        variable = catalogue.variables.get(name)
        if variable is None:
            problems.append(Problem("is not in catalogue/variables.yaml", "correct the name, or add the variable", file, name))
            continue
        problems += [replace(problem, file=file, variable=name) for problem in _misfits(variable, source)]
    for name in specification.absent:
        if name not in catalogue.variables and name not in catalogue.columns:
            problems.append(Problem("is declared absent but not in the catalogue", "correct the name", file, name))
    problems += misused_names(catalogue, specification, file)
    if problems:
        raise InputError(problems)


def _misfits(variable: Variable, source: Source) -> list[Problem]:
    """Where a mapping does not suit the variable of the catalogue it is given for."""
    if source.value is not None:
        return _unfit_value(variable, source.value)
    problems = []
    if source.separator and not (variable.items and len(variable.codes) == 2):
        what = "has a `separator`, but is no battery of two codes, chosen and not chosen"
        problems.append(Problem(what, "remove `separator:`, or give the variable `items:` and two `codes:`"))
    elif bool(variable.items) != bool(source.columns or source.separator):
        word = "`columns: {item: column}`, or `separator:`" if variable.items else "`column:`"
        problems.append(Problem(f"needs {word}", f"the catalogue has it as {word}"))
    if variable.items:
        for item in sorted(set(source.items) - set(variable.items)):
            problems.append(Problem(f"has no item `{item}`", f"items: {', '.join(variable.items)}"))
    if variable.codes and not source.codes:
        problems.append(Problem("is categorical and needs `codes:`", "map each code of the file"))
    targets = set() if source.separator else set(source.codes.values())
    codes = ", ".join(variable.codes)
    for code in sorted(targets - set(variable.codes)):
        problems.append(Problem("is mapped to, but the catalogue has no such code", f"codes: {codes}", code=code))
    if source.blank and source.blank not in {*variable.codes, *get_args(MissingKind)}:
        known = ", ".join([*variable.codes, *get_args(MissingKind)])
        problems.append(Problem("is what `blank:` means, but no code or kind of missing", f"use one of {known}", code=source.blank))
    return problems


def _unfit_value(variable: Variable, value: str) -> list[Problem]:
    if variable.items:
        return [Problem("is a battery, and cannot have one `value`", "map its items with `columns:`")]
    if variable.codes:
        remedy = f"codes: {', '.join(variable.codes)}"
        return (
            []
            if value in variable.codes
            else [Problem("is given as `value`, but the catalogue has no such code", remedy, code=value)]
        )
    return [] if is_number(value) else [Problem("is numeric, and its `value` is no number", "give a number", code=value)]


def _design(
    source: pd.DataFrame, specification: SurveySpecification, survey_id: str, file: str
) -> tuple[pd.DataFrame, list[Problem]]:
    design, problems = specification.design, []
    identifier = source[specification.id]
    no_id = is_blank(identifier)
    problems += _without("an id", "every row needs one", identifier, file)
    keys = identifier.map(canonical_code).astype("string")
    if (twice := keys[keys.duplicated(keep=False) & ~no_id]).size:
        problems.append(
            Problem(
                f"{twice.nunique():,} respondent ids appear more than once",
                "make `id:` unique, or `respondents:` select one row per respondent",
                file=file,
                variable=specification.id,
                rows=int(twice.size),
                check="duplicate_ids",
            )
        )
    frame = pd.DataFrame({"survey_id": pd.Series(survey_id, index=source.index, dtype="string"), "respondent_id": keys})
    frame["panel_id"] = pd.Series(pd.NA, index=source.index, dtype="string")
    if specification.panel_id:
        panel = source[specification.panel_id]
        frame["panel_id"] = panel.mask(is_blank(panel)).map(canonical_code, na_action="ignore").astype("string")
        if rows := int((frame["panel_id"].duplicated(keep=False) & frame["panel_id"].notna()).sum()):
            remedy = "leave `panel_id` empty for those outside the panel, and have the file corrected"
            what = "panel ids appear more than once"
            problems.append(Problem(what, remedy, file, specification.panel_id, rows=rows, check="duplicate_ids"))
    if design.stratum:
        frame["stratum"] = reduce(lambda left, right: left + "*" + right, (_label(source[c]) for c in design.stratum))
    else:
        frame["stratum"] = pd.Series(pd.NA, index=source.index, dtype="string")
    frame["psu"] = _label(source[design.psu]) if design.psu else pd.Series(pd.NA, index=source.index, dtype="string")
    # One rule for both: whom they belong to decides the variance, and only the producer knows it.
    for what, column in [("a stratum", name) for name in design.stratum] + [("a PSU", name) for name in [design.psu] if name]:
        remedy = (
            "complete the column; or, where such rows are a group of their own, name it in `respondents:`: coalesce(column, 'x')"
        )
        problems += _without(what, remedy, source[column], file)
    frame["fpc"], more = _fpc(source, specification, frame, file)
    problems += more
    frame["base_weight"] = 1.0
    if design.weight:
        weight, unread = as_number(source[design.weight])
        for rows, what in (
            (int(unread.sum()), "weights that are not numbers"),
            (int(weight.isna().sum() - unread.sum()), "respondents without a weight"),
            (int((weight < 0).sum()), "negative weights"),
            (int((weight > LARGEST_WEIGHT).sum()), f"weights above {LARGEST_WEIGHT:.0e}, a hundred times the people on earth"),
        ):
            if rows:
                remedy = "leave such rows out with `respondents:`, or ask the producer"
                problems.append(Problem(what, remedy, file, design.weight, rows=rows, check="impossible_values"))
        frame["base_weight"] = weight
        if not problems and not (weight > 0).any():
            problems.append(Problem("every weight is zero", "name the right column", file, design.weight))
    return frame, problems


def _without(what: str, remedy: str, column: pd.Series, file: str) -> list[Problem]:
    """A problem where cells of a ``column`` of the design are blank."""
    rows = int(is_blank(column).sum())
    return [Problem(f"respondents without {what}", remedy, file, str(column.name), rows=rows)] if rows else []


def _fpc(
    source: pd.DataFrame, specification: SurveySpecification, frame: pd.DataFrame, file: str
) -> tuple[pd.Series | float, list[Problem]]:
    """PSUs in the population of each row's stratum, or the fraction of them that was sampled; NaN where the design names none."""
    column = specification.design.fpc
    if not column:
        return float("nan"), []
    fpc, unread = as_number(source[column])
    strata = fpc.groupby(frame["stratum"].fillna(""))
    units = frame["psu"].fillna(frame["respondent_id"]).groupby(frame["stratum"].fillna("")).transform("nunique")
    remedy = "give the number of PSUs in the population of the stratum, or the fraction sampled, the same on each of its rows"
    wrong = {
        "values that are not numbers": unread,
        "respondents without one": fpc.isna() & ~unread,
        "values that are not positive": fpc <= 0,
        "respondents of strata in which it varies": strata.transform("nunique") > 1,
        "respondents of strata with more PSUs in the file than it says the population has": (fpc > 1) & (units > fpc),
    }
    rows = {what: int(where.sum()) for what, where in wrong.items()}
    return fpc, [Problem(f"fpc: {what}", remedy, file, column, rows=n) for what, n in rows.items() if n]


def _label(values: pd.Series) -> pd.Series:
    """Design labels as text."""
    return values.map(canonical_code, na_action="ignore").astype("string")


def _derive(frame: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Fill the catalogue's derived columns that the survey does not give itself, in the order it lists them."""
    due = {name: v for name, v in catalogue.variables.items() if v.derived and name not in frame}
    read = sorted({column for v in due.values() if v.derived for column in catalogue.check(v.derived)} - set(due))
    statement = "SELECT * FROM respondents"
    for name, variable in due.items():
        value = f"CAST(({variable.derived}) AS {'VARCHAR' if variable.codes else 'DOUBLE'})"
        statement = f'SELECT *, {value} AS "{name}" FROM ({statement})'
    if not due:
        return frame
    with duckdb.connect() as connection:
        connection.register("respondents", pa.Table.from_pandas(frame[read], preserve_index=False))
        derived = connection.execute(statement).df()
    for name, variable in due.items():
        frame[name] = derived[name].astype("string" if variable.codes else "float64").array
    return frame


def _in_population(frame: pd.DataFrame, specification: SurveySpecification) -> pd.Series:
    """Rows of people not known to be younger than the population's minimum age, by their age or their age group."""
    minimum = specification.population.age_min
    inside = pd.Series(True, index=frame.index)
    if minimum is None:
        return inside
    if "age_group" in frame:
        oldest = frame["age_group"].astype("string").str.extract(r"^Y\d+T(\d+)$")[0].astype("float64")
        inside &= ~(oldest < minimum)
    if "age" in frame:
        inside = inside.mask(frame["age"].notna(), ~(frame["age"] < minimum))
    return inside
