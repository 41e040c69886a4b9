"""The draft as YAML that a person reads: what is filled in, on what evidence, and what is left to do.

Belongs here: layout and quoting. Not here: any guess. All text from the file passes ``scalar`` or ``comment``, so that no label
can break the page or add to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from rga.microdata.specification import TODO
from rga.microdata.telling import REPEATED, can_be_told
from rga.onboarding.design import DesignGuess, Proposal
from rga.onboarding.file_facts import Column
from rga.onboarding.matching import Guess

WIDTH = 118
LONGEST = 100  # characters of a label in a comment
MOST = 24  # codes listed in a comment


class _Dumper(yaml.SafeDumper):
    """PyYAML's, with `y` and `n` quoted as other readers of YAML 1.1 need it, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if value in {"y", "Y", "n", "N"} else None)


_Dumper.add_representer(str, _text)


def flow(value: Any, indent: int = 0) -> str:
    """``value`` as one line of YAML, or several that are indented by ``indent`` from the second on."""
    lines = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=WIDTH, sort_keys=False).splitlines()
    lines = [line for line in lines if line != "..."]
    return ("\n" + " " * indent).join(lines)


def scalar(text: str) -> str:
    """``text`` as a YAML scalar on one line, quoted where it must be."""
    dumped = yaml.dump(text, Dumper=_Dumper, allow_unicode=True, width=10**9, default_style='"' if "\n" in text else None)
    return dumped.removesuffix("\n").removesuffix("\n...")


def plain(text: str, longest: int = LONGEST) -> str:
    """``text`` as it may stand in a comment: one line, printable, not longer than ``longest``."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(printable.split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


def comment(text: str, indent: int = 0) -> str:
    """``text`` as comment lines."""
    words, lines = plain(text, 4000).split(" "), [""]
    for word in words:
        if len(lines[-1]) + len(word) > WIDTH - indent and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(f"{' ' * indent}# {line}" for line in lines)


def codes(given: Mapping[str, str]) -> dict[int | str, str]:
    """Codes as people write them: whole numbers without quotes."""
    return {int(code) if _whole(code) else code: meaning for code, meaning in given.items()}


def _whole(code: str) -> bool:
    digits = code.removeprefix("-")
    return digits.isascii() and digits.isdigit() and (digits == "0" or not digits.startswith("0")) and len(digits) < 16


def variable_lines(guess: Guess, by_name: Mapping[str, Column]) -> list[str]:
    """One variable of `variables:`, its evidence above it."""
    lines = [comment(f"{guess.confidence} ({guess.score:.2f}): {'; '.join(filter(None, guess.evidence))}", 2)]
    lines += [comment(f"look: {doubt}", 2) for doubt in guess.doubts]
    lines.append(f"  {guess.variable}:")
    if "" in guess.columns:
        lines.append(f"    column: {scalar(guess.columns[''])}")
    else:
        lines.append(f"    columns: {flow(guess.columns, 6)}")
    if guess.separator:
        lines.append(f"    separator: {flow([guess.separator])[1:-1]}")
    lines += codes_lines(guess, [by_name[name] for name in guess.columns.values()])
    if guess.match.codes:
        lines.append(f"    codes: {flow(codes(guess.match.codes), 6)}")
    if guess.match.missing:
        lines.append(f"    missing: {flow(codes(guess.match.missing), 6)}")
    if guess.blank:
        lines.append(f"    blank: {scalar(guess.blank)}")
    return lines


def codes_lines(guess: Guess, columns: list[Column]) -> list[str]:
    """Which label and how many rows each mapped code has, and codes that `rga check` will ask about."""
    labels = {code: label for column in columns for code, label in column.values.items()}
    rows: dict[str, int] = {}
    for column in columns if not guess.separator else []:
        for code, count in column.counts.items():
            rows[code] = rows.get(code, 0) + count

    def told(code: str, meaning: str) -> str:
        label = f' "{plain(labels[code], 60)}"' if code in labels else ""
        return f"{plain(code, 40)}{label} = {meaning} ({rows.get(code, 0):,})" if rows else f"{plain(code, 40)}{label} = {meaning}"

    meanings = {**guess.match.codes, **guess.match.missing}
    lines = [comment("; ".join(told(c, m) for c, m in list(meanings.items())[:MOST]), 4)] if meanings and len(columns) == 1 else []
    answers = [c for c in guess.match.unknown if c in labels or not rows or rows.get(c, 0) >= REPEATED or can_be_told(c, meanings)]
    for code in answers[:MOST]:
        lines.append(comment(f"{TODO}: {told(code, '?')}: map this code under `codes:` or declare it missing", 4))
    if more := len(guess.match.unknown) - len(answers[:MOST]):
        lines.append(comment(f"{TODO}: and {more} more codes, or stray cells", 4))
    return lines


def design_lines(design: DesignGuess) -> list[str]:
    """`id`, `panel_id`, `design` and `response`, each with its evidence."""
    lines = _told("id", design.id) if design.id else [f'id: "{TODO}: the column that identifies a respondent"']
    if design.panel_id:
        lines += [*_told("panel_id", design.panel_id)]
    parts = {"weight": design.weight, "psu": design.psu}
    keys = [f"  {role}: {scalar(p.column)}" for role, p in parts.items() if p]
    keys += [f"  {role}: {scalar(f'{TODO}: {why}')}" for role, why in design.open.items()]
    if design.stratum:
        keys.append(f"  stratum: {flow([p.column for p in design.stratum], 4)}")
    if keys:
        lines.append("")
        for role, proposal in [*parts.items(), *(("stratum", p) for p in design.stratum)]:
            if proposal:
                lines.append(_evidence(role, proposal))
        lines += ["design:", *keys]
    if design.response:
        lines += [_evidence("response", design.response), "response:", f"  column: {scalar(design.response.column)}"]
        lines.append(f"  complete: {flow(list(codes(dict.fromkeys(design.complete, ''))), 4)}")
    return lines


def _told(role: str, proposal: Proposal) -> list[str]:
    return [_evidence(role, proposal), f"{role}: {scalar(proposal.column)}"]


def _evidence(role: str, proposal: Proposal) -> str:
    return comment(f"{role}: {proposal.evidence}")


def mapping_lines(key: str, entries: Mapping[str, str]) -> list[str]:
    """A mapping of text to text, one line each."""
    if not entries:
        return [f"{key}: {{}}"]
    return [f"{key}:", *(f"  {scalar(name)}: {scalar(why)}" for name, why in entries.items())]


def listed(entries: Iterable[str], indent: int = 2) -> list[str]:
    return [comment(entry, indent) for entry in entries]
