"""Checks on how a file is coded: codes, columns and variables that one side has and the other has not.

Belongs here: what is unused, unmapped, unmentioned. Not here: unknown codes, which stop a survey where it is read
(``rga.microdata.harmonise``).
"""

from __future__ import annotations

from collections import defaultdict

from rga.microdata.telling import WITHHELD
from rga.quality.finding import Finding, some
from rga.quality.subject import Subject


def unused_codes(subject: Subject) -> list[Finding]:
    """Codes that are mapped and that no row has, in any item of a battery; missing codes that no row of any variable has."""
    counts = subject.respondents.code_counts
    rows = {(str(column), str(code)): int(n) for column, code, n in counts[["column", "code", "n"]].itertuples(index=False)}
    findings = []
    declared: dict[tuple[str, str], int] = defaultdict(int)
    for name, source in subject.specification.variables.items():
        columns = [source.column] if source.column else list(source.columns.values())

        def seen(code: str, columns: list[str] = columns) -> int:
            return sum(rows.get((column, code), 0) for column in columns)

        for code, missing in source.missing.items():
            declared[code, missing] += seen(code)
        if unused := [code for code in source.codes if not seen(code)]:
            targets = ", ".join(source.codes[code] for code in unused)
            findings.append(
                Finding(
                    "unused_codes",
                    "flag",
                    f"mapped (to {targets}), and no row has it",
                    "nobody may have given this answer; if many should have, is it the right code and column?",
                    variable=name,
                    code=", ".join(unused),
                    rows=0,
                )
            )
    for (code, kind), n in declared.items():
        if not n:
            message = f"declared missing ({kind}), and no row of any variable has it"
            findings.append(Finding("unused_codes", "flag", message, "take it out, or correct it", code=code, rows=0))
    return findings


def withheld_labels(subject: Subject) -> list[Finding]:
    """Columns of which the codebook does not publish a label of the file, of itself or of a code."""
    rows = subject.respondents.codebook
    hidden = rows[(rows["source_label"] == WITHHELD) | (rows["code_label"] == WITHHELD)]
    if hidden.empty:
        return []
    message = f"labels withheld of columns: {some(list(dict.fromkeys(hidden['source_column'])))}"
    remedy = "they hold a telephone number, an address, coordinates, a document or HTML: have the file's labels corrected"
    return [Finding("withheld_labels", "flag", message, remedy)]


def unmapped_columns(subject: Subject) -> list[Finding]:
    """Columns that survey.yaml does not account for, and those that it lists and no file has."""
    columns = subject.columns
    told = [
        ("columns neither mapped nor under `unused:`", columns.unaccounted, "map them, or say under `unused:` why not"),
        ("under `unused:` but in no file", columns.vanished, "take them out of `unused:`, or correct their names"),
    ]
    return [
        Finding("unmapped_columns", "flag", f"{what}: {some(names)}", remedy, published=f"{what}: {len(names):,}")
        for what, names, remedy in told
        if names
    ]


def unmentioned_variables(subject: Subject) -> list[Finding]:
    """Variables of the catalogue that survey.yaml neither maps nor declares absent."""
    mentioned = {*subject.specification.variables, *subject.specification.absent}
    names = [name for name, variable in subject.catalogue.variables.items() if not variable.derived and name not in mentioned]
    if not names:
        return []
    message = f"variables neither mapped nor under `absent:`: {some(names)}"
    return [Finding("unmentioned_variables", "flag", message, "map them, or say under `absent:` why they are not there")]
