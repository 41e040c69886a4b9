"""What a value label says: which code of a variable, or which kind of missing answer.

Belongs here: one label against known texts. Not here: all codes of a column at once (``codes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rga.onboarding.text import alike, normal
from rga.onboarding.vocabulary import missing_texts

SAME = 0.72  # likeness from which a value label is taken for a code's
SURELY = 0.88


@lru_cache(maxsize=100_000)  # the labels of a file's columns are much the same
def likest(text: str, given: tuple[str, ...]) -> float:
    """How like the likest of ``given`` a normal text is, 0 to 1."""
    return max((alike(text, other) for other in given), default=0.0)


@lru_cache(maxsize=100_000)
def says_missing(text: str) -> tuple[str, float, str | None]:
    """The kind of missing that a normal text is most like, how like, and the kind whose words it starts with."""
    words = missing_texts()
    kind, likeness = max(((k, likest(text, tuple(given))) for k, given in words.items()), key=lambda pair: pair[1])
    return kind, likeness, next((k for k, given in words.items() if any(len(w) > 6 and text.startswith(w) for w in given)), None)


def missing_by_label(
    labels: Mapping[str, str], texts: Mapping[str, list[str]] | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    """Codes whose label says that an answer is missing, by kind, and the labels of all others. What is more like one of ``texts``
    is an answer."""
    missing: dict[str, str] = {}
    left: dict[str, str] = {}
    for code, label in labels.items():
        text = normal(label)
        kind, likeness, starts = says_missing(text)
        answer = max((likest(text, tuple(given)) for given in (texts or {}).values()), default=0.0)
        if likeness >= SURELY and likeness > answer:
            missing[code] = kind
        elif starts and answer < SAME:
            missing[code] = starts
        else:
            left[code] = label
    return missing, left
