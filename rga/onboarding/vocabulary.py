"""The words that labels are compared with: the catalogue's, its synonyms, and those of every survey file.

Belongs here: which words mean what. Not here: comparing (``text``), or the words themselves (`vocabulary.yaml`,
`catalogue/synonyms.yaml`).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from rga.microdata.catalogue import Synonyms, Variable, Words
from rga.microdata.specification import MissingKind
from rga.microdata.texts import InFile
from rga.microdata.yaml_file import StrictModel, load_yaml
from rga.onboarding.text import normal

FILE = Path(__file__).parent / "vocabulary.yaml"


class General(StrictModel):
    """`vocabulary.yaml`: words by language, conventional codes, and words that say nothing."""

    missing: dict[MissingKind, Words]
    codes: dict[MissingKind, list[InFile]]
    design: dict[str, Words]
    complete: Words
    noise: list[str]

    def kind_of_code(self, code: str) -> MissingKind | None:
        """What a code without label means by convention."""
        return next((kind for kind, codes in self.codes.items() if code.casefold() in codes), None)


@lru_cache(maxsize=1)
def general() -> General:
    return load_yaml(FILE, General)


def phrases(words: Words) -> list[str]:
    return [text for given in words.values() for text in given]


def label_texts(name: str, variable: Variable, synonyms: Synonyms) -> list[str]:
    """What a question may be called: the catalogue's label and question, its name, and synonyms."""
    own = synonyms.variables.get(name)
    return [variable.label, *filter(None, [variable.question]), name.replace("_", " "), *(phrases(own.label) if own else [])]


def item_texts(name: str, variable: Variable, synonyms: Synonyms) -> dict[str, list[str]]:
    """What each item of a battery may be called."""
    own = synonyms.variables.get(name)
    return {
        item: [text, item.replace("_", " "), *(phrases(own.items[item]) if own and item in own.items else [])]
        for item, text in variable.items.items()
    }


def code_texts(name: str, variable: Variable, synonyms: Synonyms) -> dict[str, list[str]]:
    """What each code of a variable may be called, as normal texts."""
    own = synonyms.variables.get(name)
    found = {}
    for code, text in variable.codes.items():
        words = own.codes.get(code) if own else None
        given = [text, code.replace("_", " ")]
        given += phrases(words) if words else []
        given += phrases(synonyms.codes.get(code, {}))
        found[code] = list(dict.fromkeys(normal(text) for text in given))
    return found


def missing_texts() -> dict[MissingKind, list[str]]:
    return {kind: [normal(text) for text in phrases(words)] for kind, words in general().missing.items()}
