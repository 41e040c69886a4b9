"""What a text may hold that people wrote and others read: in tables, pages, logs and errors.

Belongs here: the rules for one text, and how a message is made to keep them. Not here: which texts are held to them (``yaml_file``:
all of YAML), labels and values of a survey's file (``telling``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from rga.microdata.identifier_forms import certain_kinds

# Written anywhere in a text. Bands of money and years are no telephone numbers, nor is a long number that is a round one.
_TELLTALE = re.compile(
    r"(?<!\d)(\+|00)[1-9][\d\s().-]{6,18}\d|(?<![\d.,])\(?0\d{1,4}\)?[\s.-]\d{2,4}[\s.-]?\d{2,5}(?![\d.,])"
    r"|[-+]?\d{1,3}\.\d{3,}\s*[,; ]\s*[-+]?\d{1,3}\.\d{3,}|[^@\s]+@[^@\s]+\.[a-z]{2,}",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"\d{8,}")
_ROUND = re.compile(r"^(\d*0{3}|\d*9{3}|0*1)$")
# What publications are cited by holds long numbers: a page of the web (people's own apart), a DOI, an ISBN or ISSN, a day.
_OF_PEOPLE = r"(?!(?:www\.|m\.)?(?:facebook|fb|twitter|x|instagram|tiktok|t|wa|linkedin)\.(?:com|me)/)"
_CITED = re.compile(
    rf"https?://{_OF_PEOPLE}[^\s@?#]+|\b10\.\d{{4,9}}/[^\s@]+|\bIS[BS]N:?\s*[\dX-]{{9,17}}|\b(?:19|20)\d\d-\d\d-\d\d\b",
    re.IGNORECASE,
)
_DAY = re.compile(r"(\b(?:19|20)\d\d-\d\d-\d\d(?![\d-]))")
_TAG = re.compile(r"<[A-Za-z/!]")
_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"  # the last four are the full-width forms, which some spreadsheets take for the others
_NUMBER = re.compile(r"^[-+]?\d+([.,]\d+)?$")
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_SPELLING = "\u200b\u200c\u200d\u00ad"  # unseen, and part of how Thai, Khmer, Bangla or Persian are spelt
_PATH = re.compile(
    r"""(?<![\w/:.~<])(?:~|[A-Za-z]:(?=[\\/]))?(?:[\\/][^\s\\/"'`,;:()<>|]+){2,}[\\/]?|\\\\[^\s\\]+\\\S+|\bfile:/\S*""", re.VERBOSE
)
_QUOTED_PATH = re.compile(r"""(["'`])(?:~|[A-Za-z]:)?[\\/][^"'`\n]*\1""")
ELSEWHERE, NOT_SHOWN = "(a path)", "(not shown)"


def is_unseen(character: str) -> bool:
    """A control character, one that turns the direction of text, or any other that nobody sees."""
    return unicodedata.category(character) in _UNSEEN and character not in _SPELLING


def may_name_somebody(text: str, citing: bool = False) -> bool:
    """Whether a text holds what may be a telephone number, an e-mail address, coordinates, a document, an account or a page of a
    person. With ``citing``, pages of the web and numbers of publications are none. Names cannot be told from other words."""
    if citing:
        text = _CITED.sub(" ", text)
    words = [word.strip("()[]{}<>,;:\"'") for word in text.split()]
    return bool(
        _TELLTALE.search(text)
        or any(not _ROUND.match(number) for number in _LONG_NUMBER.findall(text))
        or any(map(certain_kinds, words))
    )


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would compute a cell with this text; numbers may have a sign."""
    return text[:1] in ("\t", "\r") or (text.lstrip()[:1] in tuple(_FORMULA) and not _NUMBER.match(text.strip()))


def holds_html(text: str) -> bool:
    return bool(_TAG.search(text))


def _unseen(text: str) -> str:
    found = next((c for c in text if is_unseen(c) and c not in "\n\t"), "")
    return f"holds a character that is not seen (U+{ord(found):04X})" if found else ""


def _tab(text: str) -> str:
    return "holds a tab" if "\t" in text else ""


def _formula(text: str) -> str:
    return f"begins with {text.lstrip()[:1]!r}, which a spreadsheet takes for a formula" if is_formula(text) else ""


def _html(text: str) -> str:
    return "holds an HTML tag" if holds_html(text) else ""


def _somebody(text: str) -> str:
    said = "holds what may be a telephone number, an e-mail address, coordinates, a document or an account"
    return said if may_name_somebody(text, citing=True) else ""


def _path(text: str) -> str:
    return "holds a path of somebody's computer" if _PATH.search(_CITED.sub(" ", text)) else ""


Rule = Callable[[str], str]
REMEDIES: dict[Rule, str] = {
    _unseen: "type the text anew",
    _tab: "use blanks",
    _formula: "begin it with a letter",
    _html: "write plain text",
    _somebody: "take it out: name an office, or its web page",
    _path: "name the file alone",
}


@dataclass(frozen=True)
class Held:
    """Marks a type of text in YAML that keeps ``rules`` rather than all of them."""

    rules: tuple[Rule, ...]


ALL = Held(tuple(REMEDIES))
Sql = Annotated[str, Held((_unseen, _formula))]
Hash = Annotated[str, Held(())]
InFile = Annotated[str, Held((_unseen, _somebody))]  # as a survey's file has it: a column, a code, the file's name


def fault(text: str, held: Held = ALL) -> tuple[str, str] | None:
    """The first rule that ``text`` breaks, in words that do not repeat it, and what to do; None where it keeps all."""
    found = ((said, REMEDIES[rule]) for rule in held.rules if (said := rule(text)))
    return next(found, None)


def publishable_message(message: str) -> str:
    """A message as it may be kept and published: paths outside the data root, what may name somebody and what is not seen are
    replaced, line by line; what a spreadsheet would compute begins with an apostrophe."""
    lines = []
    for line in message.split("\n"):
        shown = "".join("\ufffd" if is_unseen(c) and c != "\t" else c for c in line)
        shown = _PATH.sub(ELSEWHERE, _QUOTED_PATH.sub(ELSEWHERE, shown))
        shown = "".join(part if _DAY.match(part) else _TELLTALE.sub(NOT_SHOWN, part) for part in _DAY.split(shown))
        shown = _LONG_NUMBER.sub(lambda found: found[0] if _ROUND.match(found[0]) else NOT_SHOWN, shown)
        lines.append(" ".join(NOT_SHOWN if certain_kinds(word.strip("()[]{}<>,;:\"'`")) else word for word in shown.split(" ")))
    text = "\n".join(lines)
    return f"'{text}" if is_formula(text) else text
