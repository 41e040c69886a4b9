"""Which columns say who a row is and how the sample was drawn.

Belongs here: identifier, panel identifier, weight, strata, PSU, how an interview ended. Not here: what was asked (``matching``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rga.microdata.identifiers import words_of
from rga.onboarding.codes import labels_of
from rga.onboarding.file_facts import Column
from rga.onboarding.text import Phrases, alike, normal
from rga.onboarding.vocabulary import general, phrases

LEAST = 0.6


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
    """Proposals by role; ``stratum`` may take several columns, ``complete`` are codes of a completed interview."""

    id: Proposal | None = None
    panel_id: Proposal | None = None
    weight: Proposal | None = None
    stratum: list[Proposal] = field(default_factory=list)
    psu: Proposal | None = None
    response: Proposal | None = None
    complete: list[str] = field(default_factory=list)

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
    words = {role: phrases(given) for role, given in general().design.items()}
    like = Phrases(words)
    named = {column.name: _named(column, words, like) for column in columns}

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
    weights = {c.name: _of_round(c, round_number) for c in columns if _is_weight(c)}
    grouped = {c.name: 1.0 for c in columns if 2 <= c.distinct <= max(2, rows // 2) and c.blank < 0.9 * rows}
    psu = ranked("psu", {name: 1.0 for name in grouped})
    stratum = ranked("stratum", {name: 1.0 for name in grouped if not psu or name != psu.column})
    weight = ranked("weight", weights)
    return DesignGuess(
        id=identifier,
        panel_id=ranked(
            "panel_id", {c.name: 1.0 for c in columns if c.distinct > 1 and not (identifier and c.name == identifier.column)}
        ),
        weight=weight,
        stratum=[stratum] if stratum else [],
        psu=psu,
        **_response(columns, named),
    )


def _named(column: Column, words: dict[str, list[str]], like: Phrases) -> dict[str, float]:
    """By role: how like one of its words a column's name or label is."""
    name = words_of(column.name)
    bare = re.sub(r"^[a-z]{0,2}\d+ ", "", name)
    by_label = like.scores(column.label)
    found = {}
    for role, given in words.items():
        exact = max(0.95 if text in (name, bare) else 0.0 for text in map(normal, given))
        begins = 0.8 if role == "weight" and re.match(r"^(wt|wgt|weight|pw|fw)\b", name) else 0.0
        found[role] = max(exact, begins, 0.9 * by_label.get(role, 0.0))
        if column.label and (whole := max(alike(normal(column.label), normal(text)) for text in given)) > 0.72:
            found[role] = max(found[role], 0.95 * whole)
    return found


def _is_weight(column: Column) -> bool:
    """Whether a column could be a weight: numbers, none negative, most above 0, not all the same."""
    return column.low is not None and column.low >= 0 and column.distinct > 1 and (column.high or 0) > 0


def _of_round(column: Column, round_number: int | None) -> float:
    """1, less where a column speaks of another round than ``round_number``."""
    said = re.search(r"(?:\br|round ?|wave ?|w)(\d+)\b", f"{words_of(column.name)} {normal(column.label)}")
    factor = 1.0 if not said or round_number is None or int(said[1]) == round_number else 0.7
    return factor * (1.0 if column.blank < column.rows else 0.0)


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
