"""What a drafted page holds, on one screen.

Belongs here: the words printed after `rga new-survey`. Not here: the page (``page``).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rga.onboarding.draft import Draft


def summary(path: Path, draft: Draft) -> str:
    """Counts of guesses by confidence, design, identifiers, what is left, and what to do next."""
    sure = Counter(guess.confidence for guess in draft.guesses)
    used = draft.design.columns | {column for guess in draft.guesses for column in guess.columns.values()}
    left = [column for column in draft.columns if column.name not in used and not column.identifies]
    design = draft.design
    roles = {"id": design.id, "weight": design.weight, "psu": design.psu}
    told = [f"{role} {proposal.column}" for role, proposal in roles.items() if proposal]
    told += [f"strata {' by '.join(p.column for p in design.stratum)}"] if design.stratum else []
    lines = [
        f"Drafted {path}",
        f"  variables     {len(draft.guesses)} mapped: {sure['high']} high, {sure['medium']} medium, {sure['low']} low confidence",
        f"  design        {', '.join(told) or 'nothing found'}",
        f"  identifiers   {', '.join(column.name for column in draft.identifiers[:8]) or 'none found'}",
        f"  not mapped    {len(left)} columns, listed in the page",
    ]
    if draft.kept:
        lines.append(f"  from {draft.kept.key}  {len(draft.kept.guesses)} mappings kept, {len(draft.kept.changes)} changes noted")
    if sure["medium"] + sure["low"] or design.unsure:
        lines.append(
            "Compare the guesses under `unconfirmed:` with the questionnaire and the report on the sample, and complete each TODO;"
        )
    lines.append("`rga check` says what is left.")
    return "\n".join(lines)
