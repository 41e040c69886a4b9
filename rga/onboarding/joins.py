"""Who is a respondent: a first `respondents:` for several files, or for a file with people of other rounds; and strata where no
column is called so.

Belongs here: proposals that look at several columns at once. Not here: running any SQL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rga.microdata.identifiers import words_of
from rga.microdata.rounds import Rounds
from rga.microdata.specification import TODO
from rga.onboarding import page
from rga.onboarding.design import DesignGuess, Proposal
from rga.onboarding.file_facts import Column, FileFacts
from rga.onboarding.matching import Guess
from rga.onboarding.text import normal
from rga.onboarding.vocabulary import general, phrases


def stratified(design: DesignGuess, guesses: Sequence[Guess], columns: Sequence[Column]) -> DesignGuess:
    """``design``; where it has PSUs and no strata, with region and place of residence as these: the commonest, a guess."""
    if design.stratum or not design.psu:
        return design
    words = {normal(text) for text in phrases(general().design["region"])}
    regions = [c.name for c in columns if {words_of(c.name), normal(c.label)} & words and 2 <= c.distinct <= 60][:1]
    residence = [g.columns[""] for g in guesses if g.variable == "residence"]
    why = "no column is called a stratum: region by residence is the commonest stratification"
    return replace(design, stratum=[Proposal(name, 0.5, why) for name in [*regions, *residence]])


@dataclass(frozen=True)
class Selection:
    """`respondents:` of a draft (None: not needed), as lines of SQL, and what to know of it."""

    lines: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def statement(self) -> str | None:
        return "\n".join(self.lines) or None

    def page(self) -> list[str]:
        told = [page.comment(remark) for remark in self.remarks]
        return [*told, "respondents: |", *(f"  {line}" for line in self.lines)] if self.lines else told


def selection(
    all_facts: Sequence[FileFacts], design: DesignGuess, guesses: Sequence[Guess], columns: Sequence[Column], round_number: int
) -> Selection:
    """Who is a respondent. Several files: the first, with the columns that are needed of the others. Rows without a weight are of
    people who were not interviewed in this round, unless a column says how each interview ended."""
    main = all_facts[0]
    main_name = main.columns[0].file
    weight = main.column(design.weight.column) if design.weight else None
    interviewed = (
        [f"WHERE {main_name}.{_quoted(weight.name)} IS NOT NULL"] if weight and weight.blank and not design.response else []
    )
    if len(all_facts) == 1:
        if not (weight and interviewed):
            return Selection()
        remark = f"{weight.blank:,} rows without {weight.name} are taken for people who were not interviewed in this round"
        return Selection([f"SELECT * FROM {main_name}", *interviewed], [remark])
    of_file = {column.name: column.file for column in columns}
    needed = [*design.columns, *(name for guess in guesses for name in guess.columns.values())]
    joins, selected, remarks = [], [f"{main_name}.*"], []
    for facts in all_facts[1:]:
        name = facts.columns[0].file
        keys = _keys(main, facts, design)
        wanted = [column for column in dict.fromkeys(needed) if of_file[column] == name]
        flag, remark = _flag(facts, round_number)
        remarks.append(f"{name}: {remark}")
        selected += [f"{name}.{_quoted(column)}" for column in wanted]
        inner = ", ".join(_quoted(column) for column in dict.fromkeys([*keys, *wanted]))
        using = ", ".join(_quoted(key) for key in keys) or f"{TODO}_key"
        joins.append(f"LEFT JOIN (SELECT {inner} FROM {name} WHERE {flag}) AS {name} USING ({using})")
    return Selection([f"SELECT {', '.join(selected)}", f"FROM {main_name}", *joins, *interviewed], remarks)


def _keys(main: FileFacts, other: FileFacts, design: DesignGuess) -> list[str]:
    """Columns that link two files: the identifier where both have it, else one that tells rows of the first apart."""
    shared = [column.name for column in main.columns if other.column(column.name)]
    if design.id and design.id.column in shared:
        return [design.id.column]
    return [name for name in shared if (found := main.column(name)) and found.unique][:1]


def _flag(facts: FileFacts, round_number: int) -> tuple[str, str]:
    """A condition that picks the respondent among a household's members, and a remark on it."""
    flags = [column for column in facts.columns if set(column.counts) == {"0", "1"} and re.match(r"^resp", words_of(column.name))]
    rounds = Rounds({column.name: column.label for column in flags})
    fit = [column for column in flags if not rounds.speaks_of_another(column.name, round_number)]
    fit = [column for column in fit if rounds.said(column.name)] or fit
    if not fit:
        none = f", and the columns {', '.join(c.name for c in flags[:3])} are of other rounds" if flags else ""
        return f"{TODO}_who_answered = 1", f"{TODO}: say which of its rows is the respondent's, so that each has one row{none}"
    return (
        f"{_quoted(fit[0].name)} = 1",
        f"the row with {fit[0].name} = 1 is taken for the respondent's (label: {page.plain(fit[0].label)})",
    )


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
