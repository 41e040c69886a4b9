"""Which columns identify people directly: names, telephone numbers, addresses, coordinates, documents.

Belongs here: recognising them while a specification is drafted, so that nobody maps them. Not here: keeping them out of a build
(a column that is not mapped is never read).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rga.onboarding.text import normal

# by words of a column's name or label; `\b` does not end before `_`, so names are split into words first
BY_NAME = {
    "telephone number": r"msisdn|(tele)?phone (number|no|num)|(mobile|cell) ?(phone)? ?(number|no|num)|phone|telephone|mobile|hp"
    r"|whatsapp|(nomor|no) (telepon|hp|handphone)|ফোন নম্বর|फोन नम्बर|หมายเลขโทรศัพท์|เบอร์โทรศัพท์",
    "e-mail address": r"e ?mail( address)?|alamat email|ইমেইল|इमेल|อีเมล",
    "name": r"(resp|respondent|respondents|full|first|last|family|sur|given|contact|head|hh head|interviewee)s? ?name"
    r"|name of (the )?(respondent|interviewee|head|household head)|surname|name|nama( lengkap| responden)?|নাম|नाम|ชื่อ",
    "coordinates": r"gps.*|(geo ?)?(latitude|longitude)|geo ?point|lat|lon|lng|coordinates|koordinat",
    "internet address": r"ip( ?addr(ess)?)?",
    "device": r"device ?id|imei|sim ?serial|subscriber ?id|mac address",
    "postal address": r"(home |postal |street |house )?address|street|alamat( rumah)?|ঠিকানা|ठेगाना|ที่อยู่",
    "document number": r"(national|passport|tax|voter|social security) ?(id|number|no|card)?( number)?"
    r"|nid|nik|ssn|cnic|aadhaar|passport",
    "date of birth": r"dob|date of birth|birth ?date|tanggal lahir|জন্ম তারিখ|जन्म मिति|วันเกิด",
}
_BY_NAME = {kind: re.compile(rf"^(?:{pattern})$") for kind, pattern in BY_NAME.items()}
NOT_A_NAME = re.compile(r"\b(of operator|count|number of|how many|own|owns|ownership|access|survey|sample|modified)\b")

_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$", re.I)
_INTERNET = re.compile(r"^\d{1,3}(\.\d{1,3}){3}$")
_TELEPHONE = re.compile(r"^(\+|00?)[1-9][\d\s\-]{6,14}$")
_POINT = re.compile(r"^-?\d{1,2}\.\d{3,}[ ,;]+-?\d{1,3}\.\d{3,}")
BY_CONTENT = {"e-mail address": _EMAIL, "internet address": _INTERNET, "telephone number": _TELEPHONE, "coordinates": _POINT}
LOOKED_AT, SHARE = 400, 0.6


def words_of(name: str) -> str:
    """A column's name as words: `s05_RespName` is `s05 resp name`."""
    return normal(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))


def identifier_by_name(name: str, label: str) -> str:
    """Which direct identifier a column is by its name or label; empty where it is none."""
    said = {words_of(name), re.sub(r"^[a-z]{0,2}\d+\s", "", words_of(name)), words_of(name.rsplit("/", 1)[-1]), normal(label)}
    for kind, pattern in _BY_NAME.items():
        if any(pattern.match(text) and not NOT_A_NAME.search(text) for text in said if text):
            return kind
    return ""


def identifier_by_content(name: str, label: str, values: Iterable[str]) -> str:
    """Which direct identifier most of a column's values look like; empty where they look like none."""
    some = [value for _, value in zip(range(LOOKED_AT), values, strict=False)]
    if len(some) < 3:
        return ""
    for kind, pattern in BY_CONTENT.items():
        if sum(bool(pattern.match(value)) for value in some) > SHARE * len(some):
            return kind
    return ""
