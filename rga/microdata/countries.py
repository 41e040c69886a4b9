"""Countries: their codes, what they are called, and which of them a text names.

Belongs here: ISO 3166-1 (pycountry) and the few names in common use that it lacks. Not here: figures of any country.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import pycountry

# In use by the United Nations and the World Bank, though ISO 3166-1 leaves it to its users.
USER_ASSIGNED = {"XKX": "Kosovo"}
# Names in common use that pycountry has in another form.
ALSO = {
    "BOL": ["Bolivia"], "BRN": ["Brunei"], "CIV": ["Ivory Coast"], "COD": ["DR Congo"],
    "CPV": ["Cape Verde"], "CZE": ["Czech Republic"], "FSM": ["Micronesia"], "IRN": ["Iran"], "KOR": ["South Korea"],
    "LAO": ["Laos", "Lao PDR"], "MMR": ["Burma"], "PRK": ["North Korea"], "PSE": ["Palestine"], "RUS": ["Russia"],
    "SWZ": ["Swaziland"], "SYR": ["Syria"], "TLS": ["East Timor"], "TUR": ["Turkey"], "TZA": ["Tanzania"], "VEN": ["Venezuela"],
    "VNM": ["Vietnam"],
}  # fmt: skip


def is_country(code: str) -> bool:
    """Whether ``code`` is a three-letter code of ISO 3166-1, or one of those in common use beside it."""
    return code in USER_ASSIGNED or pycountry.countries.get(alpha_3=code) is not None


def country_name(code: str) -> str:
    """What a country is commonly called in English; ``code`` itself where there is no such country."""
    country = pycountry.countries.get(alpha_3=code)
    return getattr(country, "common_name", country.name) if country else USER_ASSIGNED.get(code, code)


def countries_named(text: str) -> list[str]:
    """Codes of the countries that ``text`` names in English, in its order. The longest name counts: "Papua New Guinea" is not
    Guinea. Capitals matter, so that a turkey is no country."""
    names = _names()
    found = _pattern().findall(_spelt(text))
    return list(dict.fromkeys(names[name] for name in found))


@cache
def _names() -> dict[str, str]:
    """Code by name; names that several countries share are left out."""
    codes: dict[str, set[str]] = {}
    for country in pycountry.countries:
        given = [country.name, getattr(country, "common_name", ""), getattr(country, "official_name", "")]
        for name in [*filter(None, given), country.name.split(",")[0], *ALSO.get(country.alpha_3, [])]:
            codes.setdefault(_spelt(name), set()).add(country.alpha_3)
    for code, name in USER_ASSIGNED.items():
        codes.setdefault(_spelt(name), set()).add(code)
    return {name: next(iter(of)) for name, of in codes.items() if len(of) == 1}


@cache
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(_names(), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")


def _spelt(text: str) -> str:
    """``text`` without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).replace("’", "'")
