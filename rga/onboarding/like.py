"""Last round's `survey.yaml` as a start: which of its mappings still fit the new file, and what changed.

Belongs here: comparing two rounds' columns and codes. Not here: guessing anew what does not fit (``matching``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rga.errors import InputError, Problem
from rga.microdata.data_root import SURVEY_ID, DataRoot, split_survey_id
from rga.microdata.rounds import Rounds, other_rounds, without_round
from rga.microdata.specification import Source, SurveySpecification
from rga.onboarding import page
from rga.onboarding.codes import CodeMatch, labels_of, match_codes
from rga.onboarding.file_facts import Column, read_facts
from rga.onboarding.matching import Guess, Matcher
from rga.onboarding.meaning import missing_by_label
from rga.onboarding.text import alike, normal

SAME_LABEL = 0.75


@dataclass(frozen=True)
class Kept:
    """Mappings of ``key`` that still fit; ``changes`` says what does not, in words."""

    key: str
    specification: SurveySpecification
    guesses: list[Guess]
    changes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        found = [page.comment(f"From {self.key}: {len(self.guesses)} of {len(self.specification.variables)} mappings still fit.")]
        return found + [page.comment(f"- {change}") for change in self.changes]


@dataclass(frozen=True)
class _This:
    """The new file: its columns by name, and the one of this round for each that is of another."""

    columns: Mapping[str, Column]
    rounds: Rounds
    number: int
    before: int

    def of_this_round(self, name: str) -> tuple[str | None, str, bool]:
        """The column that asks in this round what ``name`` asks: itself where it speaks of no other; why it is another, or none;
        whether that is certain."""
        why = other_rounds(self.rounds, [name], self.number).get(name)
        mark = self.rounds.said(name)
        if why is None or mark is None:
            return name, "", why is None and (mark is None or mark.covers(self.number))
        if twin := self.rounds.of_round(name, self.number):
            return twin, f"column {name} is {why}", True
        # the producer's own numbering, of which the earlier page shows where it stood
        counted_on = self.rounds.of_round(name, mark.number + self.number - self.before)
        if counted_on and self.number not in self.rounds.numbers():
            return (
                counted_on,
                f"column {name} was that of the round before; counted on from there, {counted_on} is this round's",
                False,
            )
        return None, f"column {name} is {why}: left blank", False


def keep(root: DataRoot, like: str, columns: Sequence[Column], matcher: Matcher, rounds: Rounds, number: int) -> Kept:
    """What of the survey ``like`` (such as `2020-r1/BGD`) fits ``columns`` in round ``number``; ``rounds`` are those that the
    columns speak of. Raises InputError where there is no such survey."""
    key = like.strip().strip("/").replace("/", "_")
    if not SURVEY_ID.match(key) or key not in root.survey_ids():
        known = ", ".join(root.survey_ids()[:12]) or "none"
        raise InputError(Problem(f"--like {like}: there is no such survey in {root.path}", f"there are: {known}"))
    specification = root.specification(key)
    old: dict[str, Column] = {}
    for path in root.files(key).values():
        old = {column.name: column for column in read_facts(path).columns} | old
    open_columns = {column.name: column for column in columns if not column.identifies}
    new = _This(open_columns, rounds, number, int(split_survey_id(key)[0].rsplit("-r", 1)[1]))
    kept: list[Guess] = []
    changes: list[str] = []
    for name, source in specification.variables.items():
        if name not in matcher.variables:
            continue
        guess, why = _kept(name, source, old, new, matcher)
        changes += [f"{name}: {reason}" for reason in why]
        kept += [guess] if guess else []
    return Kept(key, specification, kept, changes)


def _kept(name: str, source: Source, old: Mapping[str, Column], new: _This, matcher: Matcher) -> tuple[Guess | None, list[str]]:
    """A mapping carried over, or None; and what changed."""
    wanted = {"": source.column} if source.column else dict(source.columns)
    found: dict[str, str] = {}
    changes: list[str] = []
    labelled = True
    for item, column in wanted.items():
        here, why = _column(old.get(column or ""), column or "", new.columns)
        place, moved, certain = new.of_this_round(here) if here else (None, why, False)
        if place is None:
            changes.append(f"{moved}{f' (item {item})' if item else ''}")
            continue
        labelled &= bool(new.columns[place].label) and certain
        if here != column:
            changes.append(f"column {column} is now {here}, by its label")
        changes += [moved] if moved else []
        found[item] = place
    if not found or len(found) < len(wanted) / 2:
        return None, [*changes, "guessed anew"]
    match, notes, sound = _codes(
        name, source, [old[c] for c in wanted.values() if c in old], [new.columns[c] for c in found.values()], matcher
    )
    if match is None:
        return None, [*changes, *notes, "guessed anew"]
    certain = labelled and sound and len(found) == len(wanted) and not match.unknown
    evidence = ["as in the earlier round", "column and labels are the same" if certain else "the same column name"]
    guess = Guess(name, found, match, 0.95 if certain else 0.7, evidence, notes, source.separator, source.blank)
    return guess, [*changes, *notes]


def _column(before: Column | None, name: str, new: Mapping[str, Column]) -> tuple[str | None, str]:
    """Where a column is now: under its name unless its label is another, else the one with its label."""
    now = new.get(name)
    label = normal(without_round(before.label)) if before else ""
    if now and (not label or not now.label or alike(label, normal(without_round(now.label))) >= SAME_LABEL):
        return name, ""
    same = [column for column in new.values() if before and label and normal(column.label) == normal(before.label)]
    if len(same) == 1:
        return same[0].name, ""
    return None, f"column {name} is now about something else" if now else f"column {name} is gone"


def _codes(
    name: str, source: Source, old: list[Column], new: list[Column], matcher: Matcher
) -> tuple[CodeMatch | None, list[str], bool]:
    """The old meanings of the codes that the new columns have, and what is new or gone; None where a label was turned over."""
    before = {code: label for column in old for code, label in labels_of(column).items()}
    now = {code: label for column in new for code, label in labels_of(column).items()}
    counts = {code: rows for column in new for code, rows in column.counts.items()}
    if source.separator:
        counts = {part.strip(): 1 for code in counts for part in code.split(source.separator)}
    meanings = {**source.codes, **source.missing}
    for code in meanings:
        if code in before and code in now and alike(normal(before[code]), normal(now[code])) < SAME_LABEL:
            return None, [f"code {code} was {before[code]!r} and is now {now[code]!r}"], False
    numeric = not source.codes
    fresh = [code for code in (set(now) if numeric else {*counts, *now}) if code not in meanings]
    by_label, _ = missing_by_label({code: now[code] for code in fresh if code in now})
    texts = matcher.code_texts(name, bool(source.separator))
    guessed = match_codes({c: now[c] for c in fresh if c in now}, {}, texts).codes if texts else {}
    unknown = [code for code in fresh if code not in by_label and code not in guessed] if not numeric else []
    gone = [code for code in meanings if code not in counts and code not in now]
    notes = [f"new codes: {', '.join(sorted(fresh)[:8])}"] if fresh and not numeric else []
    notes += [f"codes of the earlier round that are gone: {', '.join(sorted(gone)[:8])}"] if gone else []
    codes = {code: meaning for code, meaning in source.codes.items() if code not in gone} | guessed
    missing = {code: str(kind) for code, kind in source.missing.items() if code not in gone} | by_label
    return (
        CodeMatch(codes, missing, sorted(unknown), "number" if numeric else "labels", 1.0, 1.0 if now else 0.7),
        notes,
        bool(now) or numeric,
    )
