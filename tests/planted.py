"""Invented people: twelve kinds of direct identifiers of each, none of anybody who lives.

Belongs here: values that tests plant in survey files and look for in what is made of them.
"""

from __future__ import annotations

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
