"""What every part of the library raises when its input is at fault.

Belongs here: the exception types people see, and how they read. Not here: checks themselves, or anything that catches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 600  # characters of one message
SHORT_CODE = re.compile(r"^([\w.-]{1,3}|-?\d{1,6}(\.\d{1,2})?)$")  # of a cell: names nobody


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input, in words a person can act on.

    ``what`` says what is wrong, ``remedy`` what to do about it; the rest says where, as far as it is known.
    """

    what: str
    remedy: str = ""
    file: str | None = None
    variable: str | None = None
    code: str | None = None
    rows: int | None = None
    check: str = ""  # which check of ``rga.quality`` it belongs to

    def __str__(self) -> str:
        where = [
            f"file {plain(self.file)}" if self.file else "",
            f"variable {plain(self.variable)}" if self.variable else "",
            f"code {plain(self.code)}" if self.code is not None else "",
            f"{self.rows:,} row{'s' if self.rows != 1 else ''}" if self.rows is not None else "",
        ]
        place = ", ".join(part for part in where if part)
        what, remedy = plain(self.what, LONGEST), plain(self.remedy, LONGEST)
        text = f"{place}: {what}" if place else what
        return f"{text}\n    what to do: {remedy}" if remedy else text


def plain(text: str, longest: int = 200) -> str:
    """``text``, which may come from a file, as a terminal can show it: no control characters, cut where it is too long."""
    shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text[: longest + 1])
    return shown if len(text) <= longest else shown[:longest] + "..."


class InputError(Exception):
    """Input (a file, a specification, a benchmark) that cannot be used, with every problem found in it at once."""

    SHOWN = 8

    def __init__(self, problems: Problem | list[Problem]) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__(str(self))

    def __reduce__(self) -> tuple[type[InputError], tuple[list[Problem]]]:
        """As it goes from one process to another."""
        return type(self), (self.problems,)

    def __str__(self) -> str:
        shown = [f"  - {problem}" for problem in self.problems[: self.SHOWN]]
        more = len(self.problems) - self.SHOWN
        return "\n".join(shown + ([f"  ... and {more} more problems of this survey"] if more > 0 else []))


class ReleaseError(Exception):
    """A release that failed its own verification and was therefore not published."""
