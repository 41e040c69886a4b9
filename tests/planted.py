"""Invented people: twelve kinds of direct identifiers of each, none of anybody who lives.

Belongs here: values that tests plant in survey files and look for in what is made of them.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from rga.microdata.identifier_forms import luhn

FIRST = ["Amina", "Bikash", "Chandra", "Dewi", "Esther", "Fatima", "Gulnara", "Hari", "Iqbal", "Jamila", "Kamal", "Lupe"]
LAST = ["Abdulkarim", "Bhattarai", "Chowdhury", "Ekanayake", "Faleolo", "Gurungsen", "Islamzai", "Jayawardena", "Kongsup"]
NAMES = {  # columns of survey files that hold them
    "person's name": "resp_name",
    "telephone number": "msisdn",
    "e-mail address": "email",
    "coordinates": "gps",
    "identity document": "nid",
    "postal address": "home_address",
    "device": "imei",
    "internet address": "ip_addr",
    "bank account or card": "bank_account",
    "date of birth": "dob",
    "web page or handle": "facebook",
    "licence plate": "licence_plate",
}
KINDS = list(NAMES)
FORMS = {  # what finds them in a text, and may find more
    "person's name": rf"(?:{'|'.join(FIRST)}) [A-Z][a-z]{{5}} (?:{'|'.join(LAST)})",
    "telephone number": r"\+?88017\d{8}",
    "e-mail address": r"[a-z]{6}\.[a-z]+@example\.org",
    "coordinates": r"-?\d+\.\d{6}, \d+\.\d{6}",
    "identity document": r"\d{5}-\d{7}-\d",
    "postal address": r"House 7\d{3}, [A-Z][a-z]{5} Street, Dhaka",
    "device": r"35\d{13}",
    "internet address": r"\d{2,3}(?:\.\d{2,3}){3}",
    "bank account or card": r"4\d{15}",
    "date of birth": r"(?:19|20)\d\d-\d\d-\d\d",
    "web page or handle": r"https://www\.facebook\.com/[a-z]{6}\d+",
    "licence plate": r"[A-Z]{2}-1\d{3}-[A-Z]{2}",
}


def found(text: str, planted: pd.DataFrame) -> dict[str, set[str]]:
    """The values of ``planted`` that ``text`` holds, by kind; a telephone number also where it was read as a number."""
    known = {kind: {*planted[kind], *planted[kind].str.removeprefix("+")} for kind in planted}
    held = {kind: set(re.findall(rf"(?<![\w.]){FORMS[kind]}", text)) & known[kind] for kind in planted}
    return {kind: values for kind, values in held.items() if values}


def people(size: int, seed: int = 1) -> pd.DataFrame:
    """``size`` people, a column of text for each kind of identifier."""
    rng = np.random.default_rng(seed)

    def checked(digits: str) -> str:
        return next(digits + str(last) for last in range(10) if luhn(digits + str(last)))

    def number(first: str, length: int) -> str:
        return first + "".join(map(str, rng.integers(0, 10, length - len(first))))

    first, last = rng.choice(FIRST, size), rng.choice(LAST, size)
    middle = ["".join(letters).title() for letters in rng.choice(list("abcdefghijklmnopqrstuvwyz"), (size, 6))]
    born = pd.Timestamp("1930-01-01") + pd.to_timedelta(rng.integers(0, 26_000, size), unit="D")
    return pd.DataFrame(
        {
            "person's name": [f"{a} {b} {c}" for a, b, c in zip(first, middle, last, strict=True)],
            "telephone number": [f"+88017{number('', 8)}" for _ in range(size)],
            "e-mail address": [f"{m.lower()}.{c.lower()}@example.org" for m, c in zip(middle, last, strict=True)],
            "coordinates": [f"{lat:.6f}, {lon:.6f}" for lat, lon in rng.uniform((-10, 90), (27, 150), (size, 2))],
            "identity document": [f"{number('4', 5)}-{number('', 7)}-{number('', 1)}" for _ in range(size)],
            "postal address": [f"House {number('7', 4)}, {m} Street, Dhaka" for m in middle],
            "device": [checked(number("35", 14)) for _ in range(size)],
            "internet address": [".".join(map(str, four)) for four in rng.integers(20, 255, (size, 4))],
            "bank account or card": [checked(number("4", 15)) for _ in range(size)],
            "date of birth": born.strftime("%Y-%m-%d"),
            "web page or handle": [f"https://www.facebook.com/{m.lower()}{k}" for k, m in enumerate(middle)],
            "licence plate": [f"{m[:2].upper()}-{number('1', 4)}-{m[2:4].upper()}" for m in middle],
        }
    )
