"""How alike two labels are, in whatever language and script.

Belongs here: spelling and similarity. Not here: what is compared (``vocabulary``, ``matching``).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np
from rapidfuzz.distance import Indel, Prefix
from rapidfuzz.fuzz import ratio

LONGEST = 400  # characters of a label that are compared: the rest of a hostile one costs nothing
SAME_WORD = 84  # rapidfuzz ratio from which two words are taken for forms of one
CUT = 10  # a label cut off by a format's limit is compared with the start of the other, from this length on


@lru_cache(maxsize=200_000)
def normal(text: str) -> str:
    """``text`` in lower case, letters, marks and digits only, single spaces: `Don't  know (DK)` is `dont know dk`."""
    folded = unicodedata.normalize("NFKC", text[:LONGEST]).casefold().replace("'", "").replace("’", "")
    kept = (c if unicodedata.category(c)[0] in "LMN" else " " for c in folded)
    return " ".join("".join(kept).split())


def plain_value_label(label: str, code: str) -> str:
    """A value label without its own code before it: `-9. Refused` is `Refused`."""
    return re.sub(rf"^\s*{re.escape(code)}\s*[.):=\-]\s*", "", label) or label


def grams(text: str) -> frozenset[str]:
    """Sequences of three characters of each word of a normal text, its ends marked: they meet in inflected words, and in
    scripts that put no space between words."""
    return frozenset(padded[i : i + 3] for word in text.split() for padded in [f" {word} "] for i in range(len(padded) - 2))


@lru_cache(maxsize=500_000)
def alike(one: str, other: str) -> float:
    """0 to 1 for two short normal texts such as value labels.

    Words are paired where they are forms of one (rapidfuzz ratio), so that `men` is not `women`; where a script has no spaces, or
    one text was cut off, whole texts are compared.
    """
    if one == other:
        return 1.0
    if not one or not other:
        return 0.0
    short, long = sorted((one, other), key=len)
    if len(short) >= CUT and long.startswith(short):
        return 0.97
    words, others = one.split(), other.split()
    if len(words) == len(others) == 1:
        whole = ratio(one, other) / 100
        return whole if len(short) > 5 and whole > SAME_WORD / 100 else _contained(one, other)
    paired = sum(len(w) for w in words if any(_same_word(w, o) for o in others))
    back = sum(len(o) for o in others if any(_same_word(w, o) for w in words))
    total = sum(map(len, words)) + sum(map(len, others))
    by_letters = Indel.normalized_similarity(one, other) if _unspaced(one) and _unspaced(other) else 0.0
    return min(0.99, max((paired + back) / total, by_letters, _contained(one, other)))


def _same_word(one: str, other: str) -> bool:
    """Whether two words are forms of one: nearly the same letters, or the same beginning but for an ending."""
    if ratio(one, other) >= SAME_WORD:
        return True
    begin = Prefix.similarity(one, other)
    return begin >= 4 and begin >= 0.7 * min(len(one), len(other)) and begin >= 0.6 * max(len(one), len(other))


def _unspaced(text: str) -> bool:
    """Whether ``text`` is of a script without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, Chinese, Japanese."""
    return any("\u0e00" <= c <= "\u109f" or "\u1780" <= c <= "\u17ff" or "\u3000" <= c <= "\u9fff" for c in text)


def _contained(one: str, other: str) -> float:
    """Likeness of a text that holds all of the other: `internet and social media` of `internet`."""
    short, long = sorted((one, other), key=len)
    inside = short in long and len(short) >= 3 if _unspaced(short) else len(short) >= 2 and f" {short} " in f" {long} "
    return 0.74 + 0.24 * len(short) / len(long) if inside else 0.0


class Phrases:
    """Texts of several targets, to find which target another text speaks of.

    Sequences of three characters are weighted by how few targets have them (inverse document frequency; Sparck Jones 1972), so that
    "since the crisis began" tells less than "charities".
    """

    def __init__(self, texts: dict[str, list[str]], noise: frozenset[str] = frozenset()) -> None:
        self._noise = noise
        self._texts = {target: [self._grams(text) for text in given] for target, given in texts.items()}
        found: dict[str, int] = {}
        for given in self._texts.values():
            for gram in frozenset().union(*given) if given else ():
                found[gram] = found.get(gram, 0) + 1
        size = max(1, len(self._texts))
        self._weight = {gram: float(np.log((1 + size) / (0.5 + count))) for gram, count in found.items()}
        self._unknown = 0.5 * max(self._weight.values(), default=1.0)

    def _grams(self, text: str) -> frozenset[str]:
        return grams(" ".join(word for word in normal(text).split() if word not in self._noise))

    @property
    def targets(self) -> frozenset[str]:
        return frozenset(self._texts)

    def scores(self, text: str) -> dict[str, float]:
        """Similarity of ``text`` with each target, 0 to 1: geometric mean of how much of the target's best text is in ``text``
        and the other way round, the first counted twice."""
        return self.scores_of(self._grams(text))

    def scores_of(self, found: frozenset[str]) -> dict[str, float]:
        """As ``scores``, of character sequences."""
        if not found:
            return {}
        total = self._sum(found)
        scores = {}
        for target, given in self._texts.items():
            best = 0.0
            for known in given:
                if shared := known & found:
                    common = self._sum(shared)
                    best = max(best, (common / self._sum(known)) ** (2 / 3) * (common / total) ** (1 / 3))
            if best:
                scores[target] = best
        return scores

    def _sum(self, found: frozenset[str]) -> float:
        return sum(self._weight.get(gram, self._unknown) for gram in found)
