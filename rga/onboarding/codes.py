"""What the codes of a column mean: by their labels, by the convention for missing answers, or only by their order.

Belongs here: one column's codes against one variable's. Not here: which variable a column is (``matching``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from rga.microdata.catalogue import Variable
from rga.onboarding.file_facts import Column, as_float
from rga.onboarding.meaning import SAME, SURELY, likest, missing_by_label
from rga.onboarding.text import normal, plain_value_label
from rga.onboarding.vocabulary import general

ELIMINATED = 0.5  # the likeness of what was left over
MOST_CODES = 40


@dataclass(frozen=True)
class CodeMatch:
    """``codes`` and ``missing`` as survey.yaml has them; ``unknown``: codes of the file that nothing was found for.

    ``how``: by labels, by the order of the codes alone, as numbers, or only partly, the rest being left to a person.
    ``score`` is the mean likeness of the labels, 0 to 1, ``weakest`` the least.
    """

    codes: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    how: Literal["labels", "order", "number", "partly", "nothing"] = "nothing"
    score: float = 0.0
    weakest: float = 1.0
    notes: list[str] = field(default_factory=list)


def labels_of(column: Column) -> dict[str, str]:
    """Value labels by code; codes that are words themselves, where the file has no labels for them, are their own label."""
    found = {code: plain_value_label(label, code) for code, label in column.values.items()}
    if not column.private:
        words = {code: code for code in column.counts if code not in found and not as_float(code) and not code.startswith(".")}
        found |= {code: word.replace("_", " ") for code, word in words.items()}
    return found


def match_codes(labels: Mapping[str, str], counts: Mapping[str, int], texts: Mapping[str, list[str]]) -> CodeMatch:
    """Codes by the labels they have, against ``texts`` of each code of a variable; without usable labels by their order."""
    missing, left = missing_by_label(labels, texts)
    unlabelled = [code for code in counts if code not in labels]
    if len(labels) > MOST_CODES or len(counts) > 3 * MOST_CODES:
        return CodeMatch()
    codes, score, weakest = _assigned(left, texts)
    used = {code: label for code, label in left.items() if code in counts or code in codes}
    unknown = [code for code in used if code not in codes]
    if codes:
        by_convention = conventional(unlabelled, [*codes])
        unknown += [code for code in unlabelled if code not in by_convention]
        score *= len(codes) / (len(codes) + len(unknown))
        notes = ["one code by elimination"] if weakest == ELIMINATED else []
        return CodeMatch(codes, missing | by_convention, unknown, "labels", score, weakest, notes)
    if left:
        return CodeMatch(missing=missing, unknown=[*unknown, *unlabelled])
    return by_order([code for code in counts if code not in missing], missing, list(texts))


def _assigned(labels: Mapping[str, str], texts: Mapping[str, list[str]]) -> tuple[dict[str, str], float, float]:
    """Each label to the target it is most like, and the mean and the least likeness.

    First one to one (Hungarian method), then what is left where it is surely the same; where in the end a single label and a single
    target are left of three or more, they are taken for each other.
    """
    codes, targets = list(labels), list(texts)
    if not codes or not targets:
        return {}, 0.0, 0.0
    like = np.array([[likest(normal(labels[code]), tuple(texts[target])) for target in targets] for code in codes])
    rows, columns = linear_sum_assignment(like, maximize=True)
    pairs = {(r, c) for r, c in zip(rows, columns, strict=True) if like[r, c] >= SAME}
    taken = {r for r, _ in pairs}
    pairs |= {(r, int(like[r].argmax())) for r in range(len(codes)) if r not in taken and like[r].max() >= SURELY}
    scores = [min(float(like[pair]), _unrivalled(like, *pair)) for pair in pairs]
    rows_left, targets_left = set(range(len(codes))) - {r for r, _ in pairs}, set(range(len(targets))) - {c for _, c in pairs}
    if len(rows_left) == len(targets_left) == 1 and len(pairs) >= 2:
        pairs |= {(rows_left.pop(), targets_left.pop())}
        scores.append(ELIMINATED)
    found = {codes[r]: targets[c] for r, c in sorted(pairs)}
    return (found, float(np.mean(scores)), min(scores)) if pairs else ({}, 0.0, 0.0)


def _unrivalled(like: np.ndarray, row: int, column: int) -> float:
    """1, or what an uncertain likeness is lowered to where the label is nearly as like another target."""
    others = np.delete(like[row], column)
    close = others.size and like[row, column] < 0.95 and like[row, column] - others.max() < 0.06
    return SAME if close else 1.0


def conventional(codes: list[str], answers: list[str]) -> dict[str, str]:
    """Codes without a label that mean missing by convention: letters, and numbers well outside of the ``answers``."""
    numbers = sorted(value for code in answers if (value := as_float(code)) is not None)
    step = min((b - a for a, b in pairwise(numbers)), default=1.0)
    found = {}
    for code in codes:
        kind, value = general().kind_of_code(code), as_float(code)
        outside = (
            value is None or not numbers or value < numbers[0] - step or value > numbers[-1] + 2 * step or value < 0 <= numbers[0]
        )
        if kind and outside:
            found[code] = str(kind)
    return found


def by_order(codes: list[str], missing: dict[str, str], targets: list[str]) -> CodeMatch:
    """Evenly spaced codes, as many as the variable has, taken in the catalogue's order: a guess that somebody must confirm.

    0 and 1 are taken for no and yes. At most one code, the last, may not occur.
    """
    numbers = sorted((value, code) for code in codes if (value := as_float(code)) is not None)
    kinds = {code: str(kind) for code in codes if (kind := general().kind_of_code(code))}
    for size in range(len(numbers), 1, -1):
        answers = numbers[:size] if numbers[0][0] >= 0 else [pair for pair in numbers if pair[0] >= 0][:size]
        rest = [code for code in codes if code not in {code for _, code in answers}]
        steps = {round(b[0] - a[0], 9) for a, b in pairwise(answers)}
        if not set(rest) <= set(kinds) or len(answers) < 2 or len(steps) != 1:
            continue
        if len(answers) not in {len(targets), len(targets) - 1} or (len(answers) == 1):
            return CodeMatch(missing=missing)
        order = [code for _, code in answers]
        if targets == ["yes", "no"] and order == ["0", "1"]:
            order = ["1", "0"]
        note = "codes have no labels: taken in the catalogue's order"
        return CodeMatch(
            dict(zip(order, targets, strict=False)), missing | {c: kinds[c] for c in rest}, [], "order", 0.5, 0.5, [note]
        )
    return CodeMatch(missing=missing)


def match_numbers(column: Column, variable: Variable) -> CodeMatch:
    """A column of numbers: which of its values mean missing, and how much of the rest is in the variable's range."""
    missing, left = missing_by_label(labels_of(column))
    low = -np.inf if variable.minimum is None else variable.minimum
    high = np.inf if variable.maximum is None else variable.maximum
    inside = outside = 0
    unknown = []
    for code, rows in column.counts.items():
        value = as_float(code)
        if code in missing:
            continue
        if value is not None and low <= value <= high:
            inside += rows
        elif kind := general().kind_of_code(code):
            missing[code] = str(kind)
        else:
            outside += rows
            unknown.append(code)
    labelled = sum(column.counts.get(code, 0) for code in left)
    if not column.numeric or not inside or labelled > 0.5 * inside:
        return CodeMatch()
    notes = [
        f"{code} reads {label!r} and is kept as a number"
        for code, label in left.items()
        if as_float(code) not in {None, as_float(label)}
    ][:3]
    return CodeMatch({}, missing, unknown, "number", inside / (inside + outside), 1.0, notes)
