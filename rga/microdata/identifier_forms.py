"""What direct identifiers look like: telephone numbers, e-mail addresses, documents, coordinates and so on.

Belongs here: forms and check digits of one value, and two questions for each kind: could this value be one (``POSSIBLE``, asked
where a column's name or label says so), and can it hardly be anything else (``CERTAIN``, asked of any column). Not here: columns,
words, or how many values it takes (``identifiers``).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

EMAIL = re.compile(r"^[^@\s,;]+@[^@\s,;]+\.[a-z]{2,}$", re.I)
URL = re.compile(r"^(https?://|www\.)\S+$|^(facebook|fb|twitter|x|instagram|tiktok|t)\.(com|me)/\S+$", re.I)
HANDLE = re.compile(r"^@[A-Za-z0-9_.]{3,30}$")
MAC = re.compile(r"^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$", re.I)
IBAN = re.compile(r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$")
POINT = re.compile(r"^[-+]?\d{1,3}\.\d{2,}\s*[,; ]\s*[-+]?\d{1,3}\.\d{2,}([,; ]\s*[-+]?\d+(\.\d+)?){0,2}$")
DECIMAL = re.compile(r"^[-+]?\d{1,3}\.\d{2,}$")
WRITTEN_PHONE = re.compile(r"^(\+|00)[1-9][\d\s().-]{6,18}$|^\(?0\d{1,4}\)?[\s.-]\d{2,4}[\s.-]?\d{2,5}([\s.-]?\d{1,4})?$")
CNIC = re.compile(r"^\d{5}-\d{7}-\d$")  # Pakistan
SSN = re.compile(r"^\d{3}-\d{2}-\d{4}$")  # United States
NIK = re.compile(
    r"^[1-9]\d{5}([0-6]\d|7[01])(0[1-9]|1[0-2])\d{2}\d{4}$"
)  # Indonesia: place, day (+40 for women), month, year, serial
DATE = re.compile(r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}[- ]?[A-Za-z]{3,9}[- ]?\d{2,4})\b")
PLATE = re.compile(r"^[^\W\d_]{1,4}[ -]?\d{1,4}([ -]?[^\W\d_]{1,3})?$|^\d{1,4}[ -]?[^\W\d_]{1,3}[ -]?\d{1,5}$")
FEW_DIGITS = re.compile(r"^-?\d{1,5}(\.\d{1,2})?$")  # too few for any form below
SEPARATORS = re.compile(r"[\s().\-/]")


def digits_of(value: str) -> str:
    """The digits of a number that people write with blanks, dots, dashes or brackets; empty where there is anything else."""
    bare = SEPARATORS.sub("", value).removeprefix("+")
    return bare if bare.isascii() and bare.isdigit() else ""


def luhn(digits: str) -> bool:
    """The check digit of cards and IMEIs (ISO/IEC 7812-1, annex B)."""
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(d), 10)) for d in even)) % 10 == 0


def is_iban(value: str) -> bool:
    """ISO 13616: the number as a whole leaves 1 when divided by 97."""
    bare = value.replace(" ", "").upper()
    return bool(IBAN.match(bare)) and int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1


def is_ip(value: str) -> bool:
    """An address of version 4 or 6."""
    if value.count(".") != 3 and value.count(":") < 2:
        return False
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def is_imei(value: str) -> bool:
    """15 digits with a check digit (3GPP TS 23.003)."""
    digits = digits_of(value)
    return len(digits) == 15 and luhn(digits)


def is_card(value: str) -> bool:
    """13 to 19 digits with a check digit, the first as issuers of payment cards have it (ISO/IEC 7812-1)."""
    digits = digits_of(value)
    return len(digits) in {13, 14, 16, 17, 18, 19} and digits[0] in "23456" and luhn(digits)


def is_thai_id(value: str) -> bool:
    """13 digits, the last of which checks the others (weights 13 to 2, modulo 11)."""
    digits = digits_of(value)
    if len(digits) != 13 or digits[0] in "09":
        return False
    return (11 - sum(int(d) * w for d, w in zip(digits, range(13, 1, -1), strict=False)) % 11) % 10 == int(digits[-1])


def is_document(value: str) -> bool:
    """An identity number of Pakistan, Indonesia, Thailand or the United States."""
    return bool(CNIC.match(value) or SSN.match(value) or NIK.match(value)) or is_thai_id(value)


def _long_number(value: str) -> bool:
    return 6 <= len(digits_of(value)) <= 20


def _has_letters(value: str) -> bool:
    return sum(character.isalpha() for character in value) >= 2


def _date(value: str) -> bool:
    """A date, or the count of days or seconds that statistical programs hold for one; not a year."""
    return bool(DATE.match(value)) or (bool(re.match(r"^-?\d{3,12}$", value)) and not 1900 <= int(value) <= 2100)


Form = Callable[[str], bool]

POSSIBLE: dict[str, Form] = {
    "internet address": is_ip,
    "e-mail address": lambda v: "@" in v,
    "device": lambda v: len(v) >= 6 and any(map(str.isdigit, v)),
    "telephone number": _long_number,
    "bank account or card": lambda v: _long_number(v) or is_iban(v),
    "identity document": lambda v: len(v) >= 5 and sum(map(str.isdigit, v)) >= 4,
    "date of birth": _date,
    "coordinates": lambda v: bool(POINT.match(v)) or (bool(DECIMAL.match(v)) and abs(float(v)) <= 180),
    "licence plate": lambda v: bool(PLATE.match(v)),
    "web page or handle": lambda v: bool(URL.match(v) or HANDLE.match(v)) or _has_letters(v),
    "postal address": _has_letters,
    "person's name": _has_letters,
}
CERTAIN: dict[str, Form] = {
    "internet address": is_ip,
    "e-mail address": lambda v: bool(EMAIL.match(v)),
    "device": lambda v: bool(MAC.match(v)) or is_imei(v),
    "telephone number": lambda v: bool(WRITTEN_PHONE.match(v)) and 8 <= len(digits_of(v)) <= 15,
    "bank account or card": lambda v: is_card(v) or is_iban(v),
    "identity document": is_document,
    "coordinates": lambda v: bool(POINT.match(v)),
    "web page or handle": lambda v: bool(URL.match(v) or HANDLE.match(v)),
}


def certain_kinds(value: str) -> list[str]:
    """The kinds of identifier that ``value`` can hardly be anything but."""
    return [] if FEW_DIGITS.match(value) else [kind for kind, form in CERTAIN.items() if form(value)]
