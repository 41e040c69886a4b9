"""How codes are compared between YAML and a file.

Belongs here: one spelling for a code. Not here: what a code means (``harmonise``).
"""

from __future__ import annotations

from typing import Any


def canonical_code(value: Any) -> str:
    """How a code is compared between YAML and file: `1`, `1.0` and `"1"` are the same code."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else text


def canonical_keys(value: Any) -> Any:
    """A mapping with its keys as codes. Raises ValueError where two are the same code; what is no mapping is left to others."""
    if not isinstance(value, dict):
        return value
    keys = [canonical_code(key) for key in value]
    if len(set(keys)) < len(keys):
        raise ValueError(f"the same code is given twice: {sorted(k for k in keys if keys.count(k) > 1)[0]}")
    return dict(zip(keys, value.values(), strict=True))
