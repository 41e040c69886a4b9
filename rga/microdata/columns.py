"""What becomes of every column of a survey's files.

Belongs here: the account of columns by name. Not here: reading or judging what is in them.
"""

from __future__ import annotations

from dataclasses import dataclass

from rga.errors import InputError, Problem
from rga.microdata.data_root import DataRoot
from rga.microdata.expressions import check_select
from rga.microdata.readers import column_names, file_labels


@dataclass(frozen=True)
class Account:
    """Every column of a survey's files in exactly one of the first four; a name that several files share counts once.

    ``vanished`` are columns that survey.yaml names (mapped, design or unused) and no file has. ``labels`` are the files' own, of
    every column (empty where there is none); ``values`` those of codes, of mapped columns.
    """

    mapped: list[str]
    design: list[str]
    unused: list[str]
    unaccounted: list[str]
    vanished: list[str]
    labels: dict[str, str]
    values: dict[str, dict[str, str]]


def account(root: DataRoot, survey_id: str) -> Account:
    """Account for the columns of the survey's files; those that `respondents:` names serve the design. Raises InputError."""
    specification, files = root.specification(survey_id), root.files(survey_id)
    mapped, design, unused = set(specification.mapped_columns), set(specification.design_columns), set(specification.unused)
    made: set[str] = set()
    if specification.respondents:
        try:
            named, made = check_select(specification.respondents, set(files))
        except ValueError as error:
            file = root.shown(root.folder(survey_id) / "survey.yaml")
            raise InputError(Problem(f"respondents: {error}", "correct `respondents:`", file)) from None
        design |= named
    told = [file_labels(path) for path in files.values()]
    present = list(dict.fromkeys(name for path in files.values() for name in column_names(path)))
    return Account(
        mapped=[c for c in present if c in mapped],
        design=[c for c in present if c in design - mapped],
        unused=[c for c in present if c in unused - design - mapped],
        unaccounted=[c for c in present if c not in mapped | design | unused],
        vanished=[c for c in [*specification.columns_read, *specification.unused] if c not in {*present, *made}],
        labels={c: next((labels[c] for _, labels, _ in told if c in labels), "") for c in present},
        values={c: next((values[c] for _, _, values in told if c in values), {}) for c in present if c in mapped},
    )
