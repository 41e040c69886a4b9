"""Which columns are which variables of the catalogue, with how much confidence and on what evidence.

Belongs here: scores of columns and groups against variables, and who gets which. Not here: what codes mean (``codes``), the sample
design (``design``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from rga.microdata.catalogue import Catalogue, Synonyms
from rga.microdata.identifiers import words_of
from rga.onboarding.batteries import groups, several
from rga.onboarding.codes import CodeMatch, labels_of, match_codes, match_numbers
from rga.onboarding.file_facts import Column
from rga.onboarding.text import Phrases, normal
from rga.onboarding.vocabulary import code_texts, general, item_texts, label_texts

LEAST = 0.42  # a lower score is no proposal
MEDIUM, HIGH = 0.6, 0.76
UNMISTAKABLE = 0.85  # likeness of name or label from which a column is proposed though its codes are strange
SOUND_CODE, SOUND_ITEM = 0.76, 0.45  # likeness that the worst code and item need for it
ENOUGH = 5  # mapped columns that tell how many empty cells are usual
CLEAR = 0.12  # lead over the next best that a high confidence needs
TIE = 0.025  # a lead below which nothing speaks for one rather than the other
EARLIER = re.compile(r"\b(first|previous|last|earlier|prior) (round|wave|interview|survey)\b|\bbaseline\b|^r\d+ ")
_PREFIX = re.compile(r"^(?:[a-z]{0,2}\d+[a-z]?|[a-z])_")


@dataclass(frozen=True)
class Guess:
    """A variable of the catalogue and what in the file it seems to be: ``source`` as survey.yaml has it.

    ``score`` is 0 to 1; ``evidence`` says what it rests on, ``doubts`` what to look at; ``rivals`` are other variables
    these columns could be.
    """

    variable: str
    columns: dict[str, str]  # item ("" for a single column) -> column
    match: CodeMatch
    score: float
    evidence: list[str]
    doubts: list[str] = field(default_factory=list)
    separator: str | None = None
    blank: str | None = None
    lead: float = 1.0
    weakest: float = 1.0  # of a battery: the least likeness of an item to its column

    @property
    def confidence(self) -> str:
        if self.match.how in {"order", "partly"}:
            return "low"
        sound = not self.match.unknown and self.match.weakest >= SOUND_CODE and self.weakest >= SOUND_ITEM
        if self.score >= HIGH and self.lead >= CLEAR and sound:
            return "high"
        return "medium" if self.score >= MEDIUM else "low"

    @property
    def proposed(self) -> bool:
        """Whether a draft maps it; what is less sure, or as like something else, is only mentioned."""
        if self.lead < TIE and self.confidence != "high":
            return False
        return self.confidence != "low" or self.match.how in {"order", "partly"}


class Matcher:
    """The catalogue's words, made ready once, against the columns of a file."""

    def __init__(self, catalogue: Catalogue, synonyms: Synonyms) -> None:
        self.catalogue = catalogue
        noise = frozenset(general().noise)
        self.variables = {
            name: v for name, v in catalogue.variables.items() if not v.derived or v.codes
        }  # a derived one may be in the file as such
        self._labels = Phrases({n: label_texts(n, v, synonyms) for n, v in self.variables.items()}, noise)
        self._codes = {n: code_texts(n, v, synonyms) for n, v in self.variables.items() if v.codes}
        self._items = {n: item_texts(n, v, synonyms) for n, v in self.variables.items() if v.items}
        self._item_phrases = {n: Phrases(texts, noise) for n, texts in self._items.items()}
        self._identities: dict[tuple[str, str], dict[str, tuple[float, str]]] = {}

    def code_texts(self, name: str, choices: bool = False) -> dict[str, list[str]]:
        """What each code of a variable may be called, or each item where a column holds several choices."""
        if choices:
            return {item: [normal(text) for text in given] for item, given in self._items.get(name, {}).items()}
        return self._codes.get(name, {})

    def guesses(self, columns: list[Column]) -> list[Guess]:
        """The best proposals, no column and no variable twice, in the order of the catalogue; empty cells given their meaning."""
        return self.with_blanks(self.best(columns), columns)

    def best(self, columns: list[Column]) -> list[Guess]:
        """The same without a meaning for empty cells."""
        proposals = [*self._batteries(columns), *self._singles(columns), *self._splits(columns)]
        order = list(self.catalogue.variables)
        return sorted(_chosen(list(proposals)), key=lambda guess: order.index(guess.variable))

    def nearest(self, column: Column) -> tuple[str, float] | None:
        """The variable that a column's label or name is most like, whatever its codes."""
        scores = self._identity(column)
        best = max(scores, key=lambda name: scores[name][0], default=None)
        return (best, scores[best][0]) if best and scores[best][0] > 0.3 else None

    def _identity(self, column: Column) -> dict[str, tuple[float, str]]:
        """By variable: how sure its label and name are of it, and the evidence."""
        key = column.name, column.label
        if key not in self._identities:  # asked several times of each column
            self._identities[key] = self._identified(column)
        return self._identities[key]

    def _identified(self, column: Column) -> dict[str, tuple[float, str]]:
        by_label = self._labels.scores(column.label) if column.label else {}
        by_name = self._by_name(column.name)
        earlier = any(EARLIER.search(text) for text in (normal(column.label), words_of(column.name)))
        found = {}
        for name in by_label.keys() | by_name.keys():
            label, own = by_label.get(name, 0.0), by_name.get(name, 0.0)
            evidence = [f'label "{column.label}"'] if label > 0.25 else []
            evidence += [f"name {column.name}"] if own > 0.25 else []
            score = 1 - (1 - label) * (1 - 0.9 * own)
            found[name] = score * (0.3 if earlier else 1), " and ".join(evidence) or "label"
        return found

    def _by_name(self, name: str) -> dict[str, float]:
        last = name.rsplit("/", 1)[-1].casefold().replace(".", "_").replace("-", "_").replace(" ", "_")
        bare = _PREFIX.sub("", last)
        found = {}
        for variable in self.variables:
            if last == variable:
                found[variable] = 1.0
            elif bare == variable:
                found[variable] = 0.95
            elif len(bare) >= 4 and variable.startswith(bare):
                found[variable] = 0.9 if len(bare) >= 8 else 0.75
        if not found and len(re.sub(r"[\d_]", "", bare)) >= 3:
            found = {variable: 0.75 * score for variable, score in self._labels.scores(words_of(bare)).items()}
        return found

    def _singles(self, columns: list[Column]) -> Iterable[Guess]:
        for column in (column for column in columns if column.distinct):
            labels = labels_of(column)
            for name, (identity, evidence) in self._identity(column).items():
                variable = self.variables[name]
                if variable.items:
                    continue
                if not variable.codes:
                    match = match_numbers(column, variable)
                    if match.how == "number" and column.whole > 0.98 and match.score > 0.9:
                        yield self._guess(name, {"": column.name}, match, 0.85 * identity + 0.15 * match.score, [evidence])
                    continue
                match = match_codes(labels, column.counts, self._codes[name])
                if score := _scored(identity, match):
                    yield self._guess(name, {"": column.name}, match, score, [evidence])
                elif identity >= UNMISTAKABLE and column.values:
                    left = [c for c in dict.fromkeys([*column.values, *column.counts]) if c not in match.codes | match.missing]
                    match = CodeMatch(match.codes, match.missing, left, "partly")
                    yield self._guess(name, {"": column.name}, match, 0.5 * identity, [evidence])
            yield from self._by_codes_alone(column, labels)

    def _by_codes_alone(self, column: Column, labels: dict[str, str]) -> Iterable[Guess]:
        """Variables whose own codes, such as male and female, give them away."""
        if len(labels) < 2:
            return
        fits = {}
        for name, texts in self._codes.items():
            if name in self._items or set(texts) <= {"yes", "no"}:
                continue
            match = match_codes(labels, column.counts, texts)
            if match.how == "labels" and match.score > 0.85 and len(match.codes) >= 2:
                fits[name] = match
        if len(fits) == 1:
            ((name, match),) = fits.items()
            identity = self._identity(column).get(name, (0.0, ""))[0]
            earlier = EARLIER.search(normal(column.label)) or EARLIER.search(words_of(column.name))
            if identity < 0.5 and not earlier:
                yield self._guess(name, {"": column.name}, match, 0.3 * identity + 0.5 * match.score, ["its codes alone"])

    def _guess(self, name: str, columns: dict[str, str], match: CodeMatch, score: float, evidence: list[str]) -> Guess:
        how = {
            "labels": "codes by their labels",
            "order": "codes by their order only",
            "number": "numbers in range",
            "partly": "codes are yours to map",
        }
        return Guess(name, columns, match, min(score, 1.0), [*evidence, how.get(match.how, "")], list(match.notes))

    def _batteries(self, columns: list[Column]) -> Iterable[Guess]:
        for group in groups(columns):
            shared, own = group.shared_and_own()
            by_stem = self._by_name(group.stem)
            stems = self._labels.scores_of(shared)
            most = max(group.columns, key=lambda column: len(labels_of(column)))
            counts = {code: 1 for column in group.columns for code in column.counts}
            for name, phrases in self._item_phrases.items():
                like = np.array([self._item_row(name, phrases, own[i], group.parts[i]) for i in range(len(own))])
                rows, places = linear_sum_assignment(like, maximize=True)
                pairs = [(r, c) for r, c in zip(rows, places, strict=True) if like[r, c] >= 0.3]
                if len(pairs) < 2:
                    continue
                scores = [float(like[pair]) for pair in pairs]
                over = set(range(len(own))) - {r for r, _ in pairs}, set(range(like.shape[1])) - {c for _, c in pairs}
                if len(over[0]) == len(over[1]) == 1:
                    pairs, scores = [*pairs, (over[0].pop(), over[1].pop())], [*scores, 0.2]
                items = list(self._items[name])
                match = match_codes(labels_of(most), counts, self._codes[name])
                blank = None
                if len(match.codes) == 1 and set(self._codes[name]) == {"yes", "no"} and "yes" in match.codes.values():
                    blank, match = "no", replace(match, score=max(match.score, 0.9))
                elif len(match.codes) == 1 or not match.codes:
                    continue
                stem = max(stems.get(name, 0.0), by_stem.get(name, 0.0))
                mean = float(np.mean(scores)) * len(pairs) / len(own)
                identity = 0.45 * stem + 0.55 * mean if stem else 0.8 * mean
                if score := _scored(identity, match):
                    chosen = {items[c]: group.columns[r].name for r, c in sorted(pairs, key=lambda pair: pair[1])}
                    text = f"{len(pairs)} of {len(own)} columns {group.name} are like its items ({mean:.2f})"
                    guess = self._guess(name, chosen, match, score, [text])
                    left = [group.columns[i].name for i in range(len(own)) if i not in dict(pairs)]
                    doubts = guess.doubts + ([f"no item found for {', '.join(left)}"] if left else [])
                    doubts += ["one item by elimination"] if 0.2 in scores else []
                    yield replace(guess, blank=blank, doubts=doubts, weakest=0.0 if left else min(scores))

    def _item_row(self, name: str, phrases: Phrases, own: frozenset[str], part: str) -> list[float]:
        """How like each item of a battery one column is, by its own part of the label or of the name."""
        by_label = phrases.scores_of(own)
        word = part.casefold().replace("-", "_")
        by_part = phrases.scores(words_of(part)) if len(re.sub(r"[\d_]", "", word)) > 2 else {}
        row = []
        for item in self._items[name]:
            exact = 1.0 if word == item else 0.9 if len(word) >= 8 and item.startswith(word) else 0.0
            row.append(max(by_label.get(item, 0.0), 0.8 * by_part.get(item, 0.0), exact))
        return row

    def _splits(self, columns: list[Column]) -> Iterable[Guess]:
        """Columns that hold several choices, against batteries of yes and no."""
        for column in columns:
            split = several(column)
            if split is None:
                continue
            labels = {
                choice: column.values.get(choice, choice.replace("_", " "))
                for choice in split.choices
                if choice in column.values or not choice.lstrip("-").isdigit()
            }
            for name in self._items:
                if set(self._codes[name]) != {"yes", "no"}:
                    continue
                match = match_codes(labels, split.choices, self.code_texts(name, choices=True))
                if match.how != "labels":
                    continue
                identity, evidence = self._identity(column).get(name, (0.0, "its choices"))
                score = 0.6 * max(identity, 0.6 * match.score) + 0.4 * match.score
                if match.score > 0.5:
                    text = f"answers hold several choices, between {split.separator!r}"
                    yield replace(self._guess(name, {"": column.name}, match, score, [evidence, text]), separator=split.separator)

    def with_blanks(self, taken: list[Guess], columns: list[Column]) -> list[Guess]:
        """Questions that many respondents were not asked, told by empty cells where other questions have none."""
        by_name = {column.name: column for column in columns}
        asked: dict[str, list[int]] = {}
        for column in (by_name[c] for guess in taken for c in guess.columns.values()):
            asked.setdefault(column.file, []).append(column.blank)
        # most questions are put to everybody who answered; rows of people who did not answer are empty everywhere
        usually = {file: int(np.median(blanks)) for file, blanks in asked.items() if len(blanks) >= ENOUGH}

        def completed(guess: Guess) -> Guess:
            blanks = min(by_name[c].blank for c in guess.columns.values())
            first = by_name[next(iter(guess.columns.values()))]
            rows, usual = first.rows, usually.get(first.file, blanks)
            if guess.blank or "not_applicable" in guess.match.missing.values() or blanks - usual <= 0.02 * rows or guess.separator:
                return guess
            text = f"{blanks - usual:,} respondents have an empty cell here: taken for a question they were not asked"
            return replace(guess, blank="not_applicable", doubts=[*guess.doubts, text])

        return [completed(guess) for guess in taken]


def _scored(identity: float, match: CodeMatch) -> float:
    """A proposal's score from what it is called and how its codes fit; 0 where it is none. That answers are yes and no tells
    nothing of what was asked."""
    if match.how == "labels" and set(match.codes.values()) <= {"yes", "no"}:
        return 0.85 * identity + 0.15 * match.score if identity > 0.5 and match.score > 0.5 else 0.0
    if match.how == "labels":
        return 0.6 * identity + 0.4 * match.score if identity > 0.3 and match.score > 0.5 else 0.0
    return 0.8 * identity if match.how == "order" and identity > 0.55 else 0.0


def _chosen(proposals: list[Guess]) -> list[Guess]:
    """Greedily the best: each with its lead over the next best for the same variable or columns."""
    left = sorted((p for p in proposals if p.score >= LEAST), key=lambda p: -p.score)
    taken: list[Guess] = []
    while left:
        best, *left = left
        used = set(best.columns.values())
        rivals = [p for p in left if (p.variable == best.variable) or (used & set(p.columns.values()))]
        rival = max((p.score for p in rivals if set(p.columns.values()) != used or p.variable != best.variable), default=0.0)
        lead = best.score - rival
        names = list(dict.fromkeys(f"{p.variable} ({', '.join(list(p.columns.values())[:2])}: {p.score:.2f})" for p in rivals))[:2]
        doubts = best.doubts + ([f"nearly as like: {'; '.join(names)}"] if lead < CLEAR and names else [])
        taken.append(replace(best, lead=lead, doubts=doubts))
        left = [p for p in left if p.variable != best.variable and not used & set(p.columns.values())]
    return taken
