"""The queries of docs/cookbook.md.

Belongs here: finding them in the page. Not here: what they should return (``test_cookbook``), how long they take (``benchmarks``).
"""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "cookbook.md"


def queries() -> dict[str, str]:
    """SQL by question; the second of one question has ` (2)` after it."""
    found: dict[str, str] = {}
    question = ""
    for heading, sql in re.findall(r"^## ([^\n]+)$|^```sql\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        if heading:
            question = heading
        else:
            found[question if question not in found else f"{question} (2)"] = sql
    return found
