"""A survey in several files: a first `respondents:` that joins them; and strata where no column is called so.

Belongs here: proposals that look at several columns at once. Not here: running any SQL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rga.microdata.identifiers import words_of
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


def join_lines(
    all_facts: Sequence[FileFacts], design: DesignGuess, guesses: Sequence[Guess], columns: Sequence[Column], round_number: int
) -> list[str]:
    """`respondents:` for several files: the first, with the columns that are needed of the others; nothing for one file."""
    if len(all_facts) == 1:
        return []
    main = all_facts[0]
    main_name = main.columns[0].file
    of_file = {column.name: column.file for column in columns}
    needed = [name for guess in guesses for name in guess.columns.values()]
    joins, selected, remarks = [], [f"{main_name}.*"], []
    for facts in all_facts[1:]:
        name = facts.columns[0].file
        keys = _keys(main, facts, design)
        wanted = [column for column in dict.fromkeys(needed) if of_file[column] == name]
        flag, remark = _flag(facts, round_number)
        remarks.append(page.comment(f"{name}: {remark}"))
        selected += [f"{name}.{_quoted(column)}" for column in wanted]
        inner = ", ".join(_quoted(column) for column in dict.fromkeys([*keys, *wanted]))
        using = ", ".join(_quoted(key) for key in keys) or f"{TODO}_key"
        joins.append(f"  LEFT JOIN (SELECT {inner} FROM {name} WHERE {flag}) AS {name} USING ({using})")
    weight = f"  WHERE {main_name}.{_quoted(design.weight.column)} IS NOT NULL" if design.weight else ""
    statement = [f"  SELECT {', '.join(selected)}", f"  FROM {main_name}", *joins, *filter(None, [weight])]
    return [*remarks, "respondents: |", *statement]


def _keys(main: FileFacts, other: FileFacts, design: DesignGuess) -> list[str]:
    """Columns that link two files: the identifier where both have it, else one that tells rows of the first apart."""
    shared = [column.name for column in main.columns if other.column(column.name)]
    if design.id and design.id.column in shared:
        return [design.id.column]
    return [name for name in shared if (found := main.column(name)) and found.unique][:1]


def _flag(facts: FileFacts, round_number: int) -> tuple[str, str]:
    """A condition that picks the respondent among a household's members, and a remark on it."""
    flags = [column for column in facts.columns if set(column.counts) == {"0", "1"} and re.match(r"^resp", words_of(column.name))]
    if not flags:
        return f"{TODO}_who_answered = 1", f"{TODO}: say which of its rows is the respondent's, so that each has one row"
    of_round = [c for c in flags if re.search(rf"r{round_number}$|round {round_number}\b", f"{c.name} {normal(c.label)}")]
    chosen = (of_round or flags)[0]
    return (
        f"{_quoted(chosen.name)} = 1",
        f"the row with {chosen.name} = 1 is taken for the respondent's (label: {page.plain(chosen.label)})",
    )


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
