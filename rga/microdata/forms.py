"""XLSForms of ODK, KoboToolbox and SurveyCTO: labels, choices and skip logic of the answers that were exported as CSV or Excel.

Belongs here: reading a form's `survey` and `choices` sheets and finding its questions among the columns of an export. Not here:
what they measure (``rga.onboarding``).

pyxform is not used: it builds the form for a telephone, refuses what only SurveyCTO or Kobo understand, and pins its own
openpyxl; a draft needs names, labels and conditions, which are two sheets read as they are.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from python_calamine import CalamineError

from rga.errors import InputError, Problem

TICKED = {"1": "Yes", "0": "No", "true": "Yes", "false": "No", "True": "Yes", "False": "No", "TRUE": "Yes", "FALSE": "No"}
IDENTIFYING = {
    "geopoint": "coordinates", "geotrace": "coordinates", "geoshape": "coordinates", "deviceid": "device", "subscriberid": "device",
    "simserial": "device", "phonenumber": "telephone number", "email": "e-mail address", "username": "name", "image": "photograph",
    "audio": "recording", "video": "recording", "file": "attached file", "caseid": "",
}  # fmt: skip
_PARTS = re.compile(r"[/:]|(?<=\w)-(?=\w)")


@dataclass(frozen=True)
class Question:
    """One question of a form; ``relevant`` is the condition under which it is put, those of its groups included."""

    name: str
    type: str
    label: str
    choices: dict[str, str] = field(default_factory=dict)
    relevant: str = ""

    @property
    def multiple(self) -> bool:
        return self.type.startswith("select_multiple")


@dataclass(frozen=True)
class Form:
    questions: list[Question]

    def identifiers(self, names: Iterable[str]) -> dict[str, str]:
        """Columns of an export that hold what a form's question types mark as identifying, by name."""
        found = {}
        for name in names:
            bare = re.sub(r"^_|[-_/](latitude|longitude|altitude|precision|accuracy)$", "", name, flags=re.I)
            for candidate in (name, bare):
                question, _ = self.question(candidate)
                if question and (kind := IDENTIFYING.get(question.type)):
                    found[name] = kind
        return found

    def question(self, column: str) -> tuple[Question | None, str]:
        """The question behind a column, and the choice where the column is of one choice (`q/1`, `group/q/1`, `q_1`); by names,
        else by its label, as exports may be headed by either."""
        by_name = {question.name: question for question in self.questions}
        parts = _PARTS.split(column)
        if question := by_name.get(column) or by_name.get(parts[-1]):
            return question, ""
        if len(parts) > 1 and (question := by_name.get(parts[-2])) and question.multiple:
            return question, parts[-1]
        for question in self.questions:
            if question.multiple and re.match(rf"^{re.escape(question.name)}[_.]", parts[-1]):
                rest = parts[-1][len(question.name) + 1 :]
                choice = next((c for c in question.choices if rest.removeprefix("_") == c.removeprefix("-")), "")
                if choice:
                    return question, choice
        said = _words(column)
        return next((q for q in self.questions if q.label and _words(q.label) == said), None), ""

    def labels(self, column: str, codes: Sequence[str]) -> tuple[str, dict[str, str]]:
        """Label and value labels of a column with these ``codes``; choices that were exported as their labels have none."""
        question, choice = self.question(column)
        if question is None:
            return "", {}
        if choice:
            label = question.choices.get(choice, choice)
            return f"{label} ({question.label})", {code: TICKED[code] for code in codes if code in TICKED}
        parts = {part for code in codes for part in (code.split() if question.multiple else [code])}
        known = question.choices if not parts or parts & set(question.choices) else {}
        return question.label, known

    def universe(self, columns: Iterable[str]) -> list[str]:
        """What the form says of who was asked, for comments."""
        found = dict.fromkeys(q.relevant for column in columns for q in [self.question(column)[0]] if q and q.relevant)
        return [f"asked only where (form): {condition}" for condition in found]


def read_form(path: Path) -> Form:
    """Read an XLSForm. Raises InputError where it has no `survey` sheet with `type` and `name`."""
    try:
        sheets = pd.read_excel(path, sheet_name=None, dtype=str, engine="calamine", keep_default_na=False)
    except (CalamineError, zipfile.BadZipFile, ValueError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise InputError(Problem(f"cannot be read as an XLSForm: {reason}", "name the .xlsx of the form", file=path.name)) from None
    tables = {str(name).strip().lower(): _tidied(table) for name, table in sheets.items()}
    survey = tables.get("survey")
    if survey is None or not {"type", "name"} <= set(survey.columns):
        what = "has no sheet `survey` with columns `type` and `name`"
        raise InputError(Problem(what, "name the XLSForm itself, not an export of answers", file=path.name))
    return Form(_questions(survey, _choices(tables.get("choices"))))


def _tidied(table: pd.DataFrame) -> pd.DataFrame:
    names = [re.sub(r"[\s_]+", "_", str(name).strip().lower()) for name in table.columns]
    return table.set_axis(names, axis=1).loc[:, lambda t: ~t.columns.duplicated()]


def _label_column(table: pd.DataFrame) -> str | None:
    """The column of labels: English where there is one, else the form's default, else the first language."""
    names = [name for name in table.columns if re.match(r"^(label|caption)(::?.*)?$", name)]
    filled = [name for name in names if (table[name].str.strip() != "").any()] or names
    english = [name for name in filled if re.search(r"english|\(en\)|::?en$", name)]
    return next(iter([*english, *(name for name in filled if name == "label"), *filled]), None)


def _choices(table: pd.DataFrame | None) -> dict[str, dict[str, str]]:
    """Choices by list: code -> label."""
    if table is None or "list_name" not in table.columns:
        return {}
    code = next((name for name in ("name", "value") if name in table.columns), None)
    label = _label_column(table)
    lists: dict[str, dict[str, str]] = {}
    if code:
        for row in table.to_dict("records"):
            if row["list_name"].strip() and row[code].strip():
                lists.setdefault(row["list_name"].strip(), {})[row[code].strip()] = _plain(row[label]) if label else ""
    return lists


def _questions(table: pd.DataFrame, lists: dict[str, dict[str, str]]) -> list[Question]:
    label = _label_column(table)
    condition = next((name for name in ("relevant", "relevance") if name in table.columns), None)
    groups: list[str] = []
    found = []
    for row in table.to_dict("records"):
        kind, *rest = row["type"].strip().split() or [""]
        relevant = row[condition].strip() if condition else ""
        if kind in {"begin", "begin_group", "begin_repeat"}:
            groups.append(relevant)
        elif kind in {"end", "end_group", "end_repeat"}:
            groups = groups[:-1]
        elif kind and row["name"].strip():
            kind = {"select": "select_multiple", "select1": "select_one"}.get(kind, kind)
            if kind in {"select_one", "select_multiple"} and rest and rest[0] == "from":
                kind, rest = "text", []
            conditions = " and ".join(filter(None, [*groups, relevant]))
            choices = lists.get(rest[0], {}) if rest else {}
            choices = choices | ({"other": "Other"} if rest[1:2] == ["or_other"] else {})
            found.append(Question(row["name"].strip(), kind, _plain(row[label]) if label else "", choices, conditions))
    return found


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _plain(text: str) -> str:
    """A label without the mark-up that forms allow in it."""
    return " ".join(re.sub(r"<[^<>]{0,200}>|\$\{\w+\}", " ", text.replace("**", "")).split())
