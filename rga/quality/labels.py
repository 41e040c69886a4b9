"""Checks on what a file says of itself against what survey.yaml makes of it.

Belongs here: labels of codes and columns, rounds, countries, columns of the design that nobody took. Not here: counts of codes
(``coding``), guessing what a column is (``rga.onboarding``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rga.microdata.catalogue import Variable
from rga.microdata.countries import countries_named, country_name
from rga.microdata.identifiers import by_name
from rga.microdata.rounds import Rounds, other_rounds
from rga.microdata.specification import Source
from rga.microdata.telling import publishable
from rga.onboarding.batteries import shared_and_own
from rga.onboarding.design import LEAST, likeness
from rga.onboarding.meaning import SAME, SURELY, likest, says_missing
from rga.onboarding.text import Phrases, normal, plain_value_label
from rga.onboarding.vocabulary import code_texts, general, item_texts, label_texts
from rga.quality.finding import Finding, some
from rga.quality.subject import Subject

ROLES = {"weight": "a weight", "stratum": "a stratum", "psu": "a PSU"}
ITEM, ITEM_LEAD = 0.6, 0.3  # likeness of a column to an item, and how much more than to the item it is mapped to
VARIABLE, VARIABLE_LEAD = 0.8, 0.5  # the same of a variable
KINDS = {"dont_know", "refused", "not_applicable"}  # `missing` may be any of them
LETTERS = 2  # characters of a code that is no word
SHOWN = 4  # codes of a variable in one message


def contradicted_labels(subject: Subject) -> list[Finding]:
    """Variables whose mapping says other than the file's labels: of codes, of a battery's columns, of the column as a whole."""
    noise = frozenset(general().noise)
    texts = {n: label_texts(n, v, subject.synonyms) for n, v in subject.catalogue.variables.items() if not v.derived}
    phrases = Phrases(texts, noise)
    findings = []
    for name, source in subject.specification.variables.items():
        variable = subject.catalogue.variables[name]
        said = _codes(subject, name, variable, source)
        said += _items(subject, name, variable, source, noise) if source.columns else _variable(subject, name, source, phrases)
        if said:
            more = f" and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
            remedy = "correct the mapping; or, where the file's labels are wrong, have them corrected"
            findings.append(Finding("contradicted_labels", "flag", "; ".join(said[:SHOWN]) + more, remedy, name))
    return findings


def _codes(subject: Subject, name: str, variable: Variable, source: Source) -> list[str]:
    """Codes whose label surely means another code or kind of missing than they are mapped to."""
    if source.separator:
        texts = {item: [normal(text) for text in given] for item, given in item_texts(name, variable, subject.synonyms).items()}
    else:
        texts = code_texts(name, variable, subject.synonyms)
    said: dict[str, None] = {}
    for column in source.mapped_columns:
        labels = subject.columns.values.get(column, {})
        for code, target in {**source.codes, **source.missing}.items():
            label = plain_value_label(labels.get(code, ""), code) or _word(code)
            means = _contradiction(normal(label), target, target in source.missing.values() and code in source.missing, texts)
            if means:
                said[f"code {code} reads {publishable(label)!r}, which is {means}, and is mapped to {target}"] = None
        if not variable.codes:
            said |= dict.fromkeys(_kept_as_numbers(subject, name, source, labels))
    return list(said)


def _word(code: str) -> str:
    """A code that is a word itself, as in many text files, as its own label."""
    return code.replace("_", " ") if len(code) > LETTERS and any(map(str.isalpha, code)) else ""


def _contradiction(text: str, target: str, declared_missing: bool, texts: Mapping[str, list[str]]) -> str:
    """What ``text`` surely means where that is not ``target``; empty where nothing speaks against it."""
    if not text:
        return ""
    answers = {code: likest(text, tuple(given)) for code, given in texts.items()}
    kind, likeness, _ = says_missing(text)
    best = max(answers, key=lambda code: answers[code], default="")
    if declared_missing:
        if best and answers[best] >= SURELY > likeness:
            return best
        told_apart = kind != target and {kind, target} <= KINDS
        return kind if likeness >= SURELY and told_apart else ""
    own = answers.get(target, 0.0)
    if own >= SAME:
        return ""
    if best and best != target and answers[best] >= SURELY and answers[best] >= likeness:
        return best
    return kind if likeness >= SURELY else ""


def _kept_as_numbers(subject: Subject, name: str, source: Source, labels: Mapping[str, str]) -> list[str]:
    """Codes of a number that the file says are no answer, and that count as one."""
    values = subject.respondents.frame[name]
    said = []
    for code, label in labels.items():
        kind, likeness, starts = says_missing(normal(plain_value_label(label, code)))
        if code in source.missing or not (likeness >= SURELY or starts) or not _is_number(code):
            continue
        if rows := int((values == float(code)).sum()):
            said.append(f"code {code} reads {publishable(label)!r}, which is {starts or kind}, and {rows:,} count it as a number")
    return said


def _is_number(code: str) -> bool:
    try:
        float(code)
    except ValueError:
        return False
    return True


def _items(subject: Subject, name: str, variable: Variable, source: Source, noise: frozenset[str]) -> list[str]:
    """Columns of a battery whose label is another item's."""
    labels = {item: subject.columns.labels.get(column, "") for item, column in source.columns.items()}
    if not all(labels.values()) or len(labels) < 2:
        return []
    phrases = Phrases(item_texts(name, variable, subject.synonyms), noise)
    said = []
    for item, own in zip(labels, shared_and_own(labels.values())[1], strict=True):
        scores = phrases.scores_of(own)
        best = max(scores, key=lambda other: scores[other], default=item)
        if best != item and scores[best] >= ITEM and scores[best] - scores.get(item, 0.0) >= ITEM_LEAD:
            said.append(
                f"column {source.columns[item]} reads {publishable(labels[item])!r}, which is {best}, and is mapped to {item}"
            )
    return said


def _variable(subject: Subject, name: str, source: Source, phrases: Phrases) -> list[str]:
    """A column whose label is another variable's, and not its own."""
    label = subject.columns.labels.get(source.column or "", "")
    scores = phrases.scores(label) if label else {}
    best = max(scores, key=lambda other: scores[other], default=name)
    if (
        best == name
        or name not in phrases.targets
        or scores[best] < VARIABLE
        or scores[best] - scores.get(name, 0.0) < VARIABLE_LEAD
    ):
        return []
    return [f"column {source.column} reads {publishable(label)!r}, which is {best}"]


def other_round(subject: Subject) -> list[Finding]:
    """Columns that are read and speak of another round, though the file has the same question of this one."""
    rounds, users = Rounds(subject.columns.labels), _users(subject)
    fallback = Counter(mark.number for column in users if (mark := rounds.said(column)) and rounds.twins(column))
    usual = fallback.most_common(1)[0][0] if fallback else subject.round_number
    found: dict[str, str] = {}
    for column, user in users.items():
        mark = rounds.said(column)
        if mark is None:
            continue
        numbers = {mark.number, *(twin.number for twin in rounds.twins(column).values())}
        # the producer's numbers may be others than ours: then the columns must at least agree
        number = subject.round_number if rounds.of_round(column, subject.round_number) or subject.round_number in numbers else usual
        twin = rounds.of_round(column, number)
        if not mark.covers(number) and twin and twin not in users:
            found[column] = f"{column} ({user}) is of round {mark.number}: {twin}"
    if not found:
        return []
    message = f"columns of another round are read, and the file has the same of this one: {some(list(found.values()))}"
    return [Finding("other_round", "flag", message, "map this round's columns; last round's page names last round's", rows=None)]


def _users(subject: Subject) -> dict[str, str]:
    """What each column that is read is read for; those that are about an earlier round on purpose are left out."""
    specification = subject.specification
    left = {specification.id, specification.panel_id, *(given.column for given in specification.auxiliary.values())}
    design = specification.design
    users = {column: "respondents" for column in subject.columns.design if column not in left}
    users |= {column: role for role, column in (("weight", design.weight), ("psu", design.psu)) if column}
    users |= dict.fromkeys(design.stratum, "stratum")
    users |= {column: name for name, source in specification.variables.items() for column in source.mapped_columns}
    return {column: user for column, user in users.items() if column in subject.columns.labels}


def unused_design(subject: Subject) -> list[Finding]:
    """Columns that look like a weight, stratum or PSU, and that survey.yaml neither uses nor lists under `unused:`."""
    design, labels = subject.specification.design, subject.columns.labels
    elsewhere = other_rounds(Rounds(labels), subject.columns.unaccounted, subject.round_number)
    used = {
        "weight": [design.weight] if design.weight else [],
        "stratum": design.stratum,
        "psu": [design.psu] if design.psu else [],
    }
    found: dict[str, list[str]] = {}
    for column in subject.columns.unaccounted:
        like = likeness(column, labels[column])
        role = max(ROLES, key=lambda role: like[role])
        if like[role] < max(LEAST, *like.values()) or by_name(column, labels[column]):
            continue
        if not (column in elsewhere and used[role]):
            found.setdefault(role, []).append(column)
    remedy = "name them under `design:`, or say under `unused:` why not"
    return [
        Finding("unused_design", "flag", f"look like {ROLES[role]} and are not used{_beside(used[role])}: {some(names)}", remedy)
        for role, names in found.items()
    ]


def _beside(used: list[str]) -> str:
    return f" (used: {', '.join(used)})" if used else ""


def other_country(subject: Subject) -> list[Finding]:
    """A title or citation that names other countries and not the survey's own."""
    findings = []
    for key in ("title", "citation"):
        named = countries_named(getattr(subject.specification, key))
        if named and subject.country not in named:
            message = (
                f"`{key}` names {some([country_name(code) for code in named])}, and the survey is {country_name(subject.country)}'s"
            )
            remedy = "is the folder, the file or the page another country's? Correct it; or name the survey's own country too"
            findings.append(Finding("other_country", "flag", message, remedy))
    return findings
