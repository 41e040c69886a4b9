"""Which columns say who a row is and how the sample was drawn.

Belongs here: identifier, panel identifier, weight, strata, PSU, how an interview ended. Not here: what was asked (``matching``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from rga.microdata.identifiers import words_of
from rga.microdata.rounds import Rounds, mark_in_name, other_rounds, without_round
from rga.onboarding.codes import labels_of
from rga.onboarding.file_facts import Column
from rga.onboarding.text import Phrases, alike, normal
from rga.onboarding.vocabulary import general, phrases

LEAST = 0.6
_WEIGHT = re.compile(r"\b(hh|p|per|ind|pop|fin|final|design|base)?(wt|wgt|wght|weight)s?\b|^(pw|fw)\b")
_OF_A_BODY = re.compile(r"\b(body|birth|kg|kilos?|kilograms?|pounds|lbs|gain(ed)?|los[ste]+|baby|child)\b")  # what is weighed
TIMELESS = {"weight", "stratum", "psu"}  # roles that a panel's file has once for each round


@dataclass(frozen=True)
class Proposal:
    """A column for one role, how sure (0 to 1), why, and the next best columns."""

    column: str
    score: float
    why: str
    others: list[str] = field(default_factory=list)

    @property
    def confidence(self) -> str:
        return "high" if self.score >= 0.85 else "medium" if self.score >= 0.65 else "low"

    @property
    def evidence(self) -> str:
        others = f"; or {', '.join(self.others)}" if self.others else ""
        return f"{self.confidence} ({self.score:.2f}): {self.column}, {self.why}{others}"


@dataclass(frozen=True)
class DesignGuess:
    """Proposals by role; ``stratum`` may take several columns, ``complete`` are codes of a completed interview. ``open`` are roles
    that one of several columns must have, and nobody but the producer knows which."""

    id: Proposal | None = None
    panel_id: Proposal | None = None
    weight: Proposal | None = None
    stratum: list[Proposal] = field(default_factory=list)
    psu: Proposal | None = None
    response: Proposal | None = None
    complete: list[str] = field(default_factory=list)
    open: dict[str, str] = field(default_factory=dict)

    @property
    def roles(self) -> dict[str, list[Proposal]]:
        """Proposals by where they stand in survey.yaml."""
        found = {"id": self.id, "panel_id": self.panel_id, "design.weight": self.weight, "design.psu": self.psu}
        given = {role: [proposal] for role, proposal in (found | {"response": self.response}).items() if proposal}
        return given | ({"design.stratum": self.stratum} if self.stratum else {})

    @property
    def columns(self) -> set[str]:
        return {proposal.column for proposals in self.roles.values() for proposal in proposals}

    @property
    def unsure(self) -> dict[str, str]:
        """Roles that another column may have, or whose column is less than highly likely, and the evidence."""
        return {
            role: "; ".join(proposal.evidence for proposal in proposals)
            for role, proposals in self.roles.items()
            if any(proposal.others or proposal.confidence != "high" for proposal in proposals)
        }


def guess_design(columns: list[Column], round_number: int | None = None) -> DesignGuess:
    """The likely design among ``columns`` of the main file; ``round_number`` tells a panel's weights of several rounds apart."""
    labels = {column.name: column.label for column in columns}
    others = {} if round_number is None else other_rounds(Rounds(labels), list(labels), round_number)
    named = {column.name: likeness(column.name, column.label) for column in columns}

    def ranked(role: str, fits: dict[str, float]) -> Proposal | None:
        """The column that is most like ``role`` among those that fit it by content (name -> factor)."""
        scores = {name: named[name].get(role, 0.0) * factor for name, factor in fits.items()}
        order = sorted((name for name in scores if scores[name] >= LEAST), key=lambda name: -scores[name])
        if not order:
            return None
        best = next(column for column in columns if column.name == order[0])
        said = f'label "{best.label}"' if best.label else f"name {best.name}"
        return Proposal(best.name, scores[best.name], f"{said}; {best.distinct:,} different values", order[1:4])

    rows = max((column.rows for column in columns), default=0)
    by_name = {column.name: column for column in columns}
    first = min((column.place for column in columns), default=0)
    unique = {c.name: 1.0 if c.place == first else 0.9 for c in columns if c.unique and c.whole in {0.0, 1.0}}
    identifier = ranked("id", unique)
    if identifier is None and unique:
        name = min(unique, key=lambda name: by_name[name].place)
        if by_name[name].place == first:
            identifier = Proposal(name, 0.66, f"first column; {by_name[name].distinct:,} different values, none twice")
    weights = {c.name: 1.0 for c in columns if _is_weight(c)}
    of_this_round = [c for c in columns if c.name not in others]
    grouped = {c.name: 1.0 for c in of_this_round if 2 <= c.distinct <= max(2, rows // 2) and c.blank < 0.9 * rows}
    psu = ranked("psu", {name: 1.0 for name in grouped})
    stratum = ranked("stratum", {name: 1.0 for name in grouped if not psu or name != psu.column})
    weight = ranked("weight", {name: fit for name, fit in weights.items() if name not in others})
    elsewhere = ranked("weight", weights) if weight is None else None
    unknown = {"weight": f"{elsewhere.column} is {others[elsewhere.column]}"} if elsewhere else {}
    return DesignGuess(
        id=identifier,
        panel_id=ranked(
            "panel_id", {c.name: 1.0 for c in columns if _tells_apart(c) and not (identifier and c.name == identifier.column)}
        ),
        weight=weight,
        stratum=[stratum] if stratum else [],
        psu=psu,
        open=unknown,
        # a weight that only some rows have is of those who answered: how the other interviews ended adds nothing to it
        **({} if weight and by_name[weight.column].blank else _response(of_this_round, named)),
    )


def likeness(name: str, label: str) -> dict[str, float]:
    """By role of the design: how like one of its words a column's name or label is, 0 to 1; of a weight, stratum or PSU, the round
    that it speaks of left out."""
    words, like = _words()
    mark = mark_in_name(name)
    whole = words_of(name), label
    bare = words_of(mark.rest.replace("#", " ") if mark else name), without_round(label)
    return {role: _likeness(role, words[role], *(bare if role in TIMELESS else whole), like) for role in words}


@cache
def _words() -> tuple[dict[str, list[str]], Phrases]:
    words = {role: phrases(given) for role, given in general().design.items()}
    return words, Phrases(words)


def _likeness(role: str, given: list[str], name: str, label: str, like: Phrases) -> float:
    if role == "weight" and _OF_A_BODY.search(f"{name} {normal(label)}"):
        return 0.0
    unnumbered = re.sub(r"^[a-z]{0,2}\d+ ", "", name)
    found = [0.95 if normal(text) in (name, unnumbered) else 0.0 for text in given]
    found.append(0.8 if role == "weight" and _WEIGHT.search(name) else 0.0)
    found.append(0.9 * like.scores(label).get(role, 0.0) if label else 0.0)
    whole = max((alike(normal(label), normal(text)) for text in given), default=0.0) if label else 0.0
    return max([*found, 0.95 * whole if whole > 0.72 else 0.0])


def _tells_apart(column: Column) -> bool:
    """Whether nearly every row that is filled in has a value of its own."""
    return column.distinct > 1 and column.distinct >= 0.9 * (column.rows - column.blank)


def _is_weight(column: Column) -> bool:
    """Whether a column could be a weight: numbers, none negative, most above 0, not all the same."""
    return column.low is not None and column.low >= 0 and column.distinct > 1 and (column.high or 0) > 0


def _response(columns: list[Column], named: dict[str, dict[str, float]]) -> dict:
    """A column that tells completed interviews from others, and the codes of these."""
    done = [normal(text) for text in phrases(general().complete)]
    for column in sorted(columns, key=lambda c: -named[c.name].get("response", 0.0)):
        if named[column.name].get("response", 0.0) < LEAST:
            break
        labels = labels_of(column)
        complete = [code for code, label in labels.items() if max(alike(normal(label), text) for text in done) > 0.85]
        if not complete and not labels and "1" in column.counts and 2 <= column.distinct <= 12:
            complete = ["1"]  # by convention; said in the page
        if complete and len(column.counts) > len(complete):
            score = min(0.9, named[column.name]["response"]) if labels else 0.6
            said = f'label "{column.label}"' if column.label else f"name {column.name}"
            return {"response": Proposal(column.name, score, said), "complete": complete}
    return {}
