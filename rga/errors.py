"""What every part of the library raises when its input is at fault.

Belongs here: the exception types people see, and how they read. Not here: checks themselves, or anything that catches.
"""

from __future__ import annotations

from dataclasses import dataclass


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
            f"file {self.file}" if self.file else "",
            f"variable {self.variable}" if self.variable else "",
            f"code {self.code}" if self.code is not None else "",
            f"{self.rows:,} row{'s' if self.rows != 1 else ''}" if self.rows is not None else "",
        ]
        place = ", ".join(part for part in where if part)
        text = f"{place}: {self.what}" if place else self.what
        return f"{text}\n    what to do: {self.remedy}" if self.remedy else text


class InputError(Exception):
    """Input (a file, a specification, a benchmark) that cannot be used, with every problem found in it at once."""

    SHOWN = 8

    def __init__(self, problems: Problem | list[Problem]) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        shown = [f"  - {problem}" for problem in self.problems[: self.SHOWN]]
        more = len(self.problems) - self.SHOWN
        return "\n".join(shown + ([f"  ... and {more} more problems of this survey"] if more > 0 else []))


class ReleaseError(Exception):
    """A release that failed its own verification and was therefore not published."""
