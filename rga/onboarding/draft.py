"""A first draft of `survey.yaml` for a file that nobody has looked at yet: what `rga new-survey` does.

Belongs here: the order of the steps, and what stands where on the page. Not here: any single guess.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rga.errors import InputError, Problem
from rga.microdata.catalogue import Catalogue, load_synonyms
from rga.microdata.countries import is_country
from rga.microdata.data_root import SURVEY_ID, DataRoot
from rga.microdata.forms import Form, read_form
from rga.microdata.readers import sha256
from rga.microdata.respondents import no_country
from rga.microdata.rounds import Rounds, other_rounds
from rga.microdata.specification import TODO
from rga.onboarding import page
from rga.onboarding.design import DesignGuess, guess_design
from rga.onboarding.file_facts import Column, FileFacts, read_facts
from rga.onboarding.joins import Selection, selection, stratified
from rga.onboarding.like import Kept, keep
from rga.onboarding.matching import Guess, Matcher
from rga.onboarding.people import of_respondents
from rga.onboarding.surroundings import benchmark_for, weighting_lines


@dataclass(frozen=True)
class Draft:
    """A drafted page, and what it was made of: ``guesses`` that it maps, others only mentioned (``doubtful``)."""

    text: str
    guesses: list[Guess]
    doubtful: list[Guess]
    design: DesignGuess
    columns: list[Column]
    kept: Kept | None = None

    @property
    def identifiers(self) -> list[Column]:
        return [column for column in self.columns if column.identifies]


@dataclass(frozen=True)
class Request:
    """What to draft: ``files``, the main one first, for which survey; what helps: a ``form``, last round's survey (``like``)."""

    files: Sequence[Path]
    country: str
    round_id: str
    form: Path | None = None
    like: str | None = None
    names: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.round_id}_{self.country}"

    @property
    def all_files(self) -> list[Path]:
        return [*self.files, *([self.form] if self.form else [])]

    @property
    def round_number(self) -> int:
        return int(self.round_id.rsplit("-r", 1)[1])


def write_draft(root: DataRoot, request: Request) -> tuple[Path, Draft]:
    """Draft a survey and put the page and copies of the files into ``root``; where the page is.

    Raises InputError before anything is written: for a key that is none, a survey that exists, files that cannot be read.
    """
    if not SURVEY_ID.match(request.key):
        remedy = "name rounds like 2021-r2 and countries by their three-letter ISO code in capitals, such as BGD"
        raise InputError(Problem(f"`{request.round_id}` and `{request.country}` make no survey key", remedy))
    if not is_country(request.country):
        raise InputError(no_country(request.country))
    folder = root.folder(request.key)
    in_the_way = [
        folder / "survey.yaml",
        *(folder / path.name for path in request.all_files if (folder / path.name) != path.absolute()),
    ]
    if taken := [path for path in in_the_way if path.exists()]:
        remedy = "nothing is overwritten: move it away, or choose another round or country"
        raise InputError(Problem("is there already", remedy, file=root.shown(taken[0])))
    if len({path.name for path in request.all_files}) < len(request.all_files):
        raise InputError(Problem("two files have the same name", "rename one of them", file=request.files[0].name))
    drafted = draft(root, request)
    folder.mkdir(parents=True, exist_ok=True)
    for path in request.all_files:
        if (folder / path.name) != path.absolute():
            shutil.copyfile(path, folder / path.name)
    (folder / "survey.yaml").write_text(drafted.text, encoding="utf-8")
    round_page = folder.parent / "round.yaml"
    if not round_page.exists():
        year = request.round_id[:4]
        round_page.write_text(f'title: Surveys of {year}\nyear: {year}\npublication: ""\nnotes: ""\n', encoding="utf-8")
    return folder / "survey.yaml", drafted


def draft(root: DataRoot, request: Request) -> Draft:
    """Read the files and guess; nothing is written. Raises InputError."""
    catalogue = root.catalogue()
    matcher = Matcher(catalogue, load_synonyms(root.path / "catalogue", catalogue))
    form = read_form(request.form) if request.form else None
    names = _file_names(request.files)
    all_facts = [read_facts(path, name, form) for path, name in zip(request.files, names, strict=True)]
    columns = _once(all_facts)
    open_columns = [column for column in columns if not column.identifies]
    rounds = Rounds({column.name: column.label for column in columns})
    elsewhere = other_rounds(rounds, [column.name for column in open_columns], request.round_number)
    design = guess_design([c for c in open_columns if c.file == names[0]], request.round_number)
    kept = keep(root, request.like, columns, matcher, rounds, request.round_number) if request.like else None
    taken = {*elsewhere, *design.columns, *(c for guess in (kept.guesses if kept else []) for c in guess.columns.values())}
    found = matcher.best([column for column in open_columns if column.name not in taken])
    if kept:
        found = [*kept.guesses, *(guess for guess in found if guess.variable not in {k.variable for k in kept.guesses})]
    guesses, doubtful = [g for g in found if g.proposed], [g for g in found if not g.proposed]
    not_asked_now = [c for c in open_columns if c.name in elsewhere and not rounds.of_round(c.name, request.round_number)]
    known = {guess.variable for guess in found}
    doubtful += [guess for guess in matcher.best(not_asked_now) if guess.variable not in known]
    design = stratified(design, guesses, open_columns)
    people = selection(all_facts, design, guesses, columns, request.round_number)
    mapped = list(dict.fromkeys(name for guess in guesses for name in guess.columns.values()))
    counts, why_not = of_respondents(dict(zip(names, request.files, strict=True)), people.statement, design, columns, mapped)
    people = replace(people, remarks=[*people.remarks, *filter(None, [why_not])])
    columns = [counts.get(column.name, column) for column in columns]
    carried = {guess.variable for guess in kept.guesses} if kept else set()
    completed = {guess.variable: guess for guess in matcher.with_blanks([g for g in guesses if g.variable not in carried], columns)}
    guesses = [completed.get(guess.variable, guess) for guess in guesses]
    drafted = Draft("", guesses, doubtful, design, columns, kept)
    return replace(drafted, text="\n".join(_lines(root, request, drafted, all_facts, matcher, form, people, elsewhere)) + "\n")


def _file_names(files: Sequence[Path]) -> list[str]:
    if len(files) == 1:
        return ["respondents"]
    names = [re.sub(r"^[^a-z]+|[^a-z0-9_]+", "_", path.stem.lower()).strip("_") or "file" for path in files]
    return [name if names.count(name) == 1 and name[0].isalpha() else f"file_{i + 1}" for i, name in enumerate(names)]


def _once(all_facts: list[FileFacts]) -> list[Column]:
    """Columns of all files; of a name that several have, the first file's."""
    found: dict[str, Column] = {}
    for facts in all_facts:
        for column in facts.columns:
            found.setdefault(column.name, column)
    return list(found.values())


def _lines(
    root: DataRoot, request: Request, draft: Draft, all_facts: list[FileFacts], matcher: Matcher, form: Form | None,
    people: Selection, elsewhere: dict[str, str],
) -> list[str]:  # fmt: skip
    columns, design, guesses, kept = draft.columns, draft.design, draft.guesses, draft.kept
    by_name = {column.name: column for column in columns}
    main = all_facts[0]
    benchmark = benchmark_for(root, request.country, int(request.round_id[:4]))
    simulated = "true" if "simulated" in main.title.casefold() else f'"{TODO}: true for invented data, else false"'
    population = {"description": f"{TODO}: who the estimates speak for, such as Adults aged 18 and over"}
    lines = [
        page.comment(f"Drafted by `rga new-survey` from {', '.join(f.path.name for f in all_facts)}: {main.rows:,} rows."),
        "# Complete every TODO; `rga check` says which are left. Each guess has its confidence and evidence above it: high",
        "# ones rest on labels that leave no doubt; the others are under `unconfirmed:` too: compare them with the questionnaire.",
        f'title: "{TODO}: such as Rapid gender assessment survey, {request.country}, {request.round_id[:4]}"',
        f"producer: {page.scalar(kept.specification.producer if kept else f'{TODO}: who collected the data')}",
        f'citation: "{TODO}: how to cite them"',
        f"licence: {page.scalar(kept.specification.licence if kept else f'{TODO}: on what terms they may be used')}",
        f"simulated: {simulated}",
        f"fieldwork: {{start: {TODO}, end: {TODO}}}   # first and last day, such as 2021-08-02",
        f"mode: {kept.specification.mode if kept else TODO}   # sms, web, cati, ivr, capi or mixed",
        "# invited: 9400   # gives the response rate",
        f"population: {page.flow(population | ({'benchmark': benchmark} if benchmark else {}), 2)}",
        "files:",
    ]
    for facts, name in zip(all_facts, _file_names(request.files), strict=True):
        entry = {"path": facts.path.name, "sha256": sha256(facts.path)} | ({"form": request.form.name} if request.form else {})
        lines.append(f"  {name}: {page.flow(entry, 4)}")
    lines += people.page()
    lines += page.design_lines(design)
    weighting, unsaid = weighting_lines(design, guesses, benchmark)
    lines += ["", *weighting]
    lines += ["", *(kept.lines() if kept else []), "variables:" if guesses else "variables: {}"]
    for guess in guesses:
        lines += page.variable_lines(guess, by_name)
        lines += page.listed(form.universe(list(guess.columns.values())), 4) if form else []
    unsure = (
        design.unsure
        | unsaid
        | {g.variable: f"{g.confidence}: {'; '.join(filter(None, g.evidence))}" for g in guesses if g.confidence != "high"}
    )
    lines += [
        "",
        "# Guesses to compare with the questionnaire and the report on the sample: delete each line once you have;",
        "# `rga check` asks for them until then.",
    ]
    lines += page.mapping_lines("unconfirmed", {name: page.plain(why, 160) for name, why in unsure.items()})
    lines += _left(root.catalogue(), draft, matcher, elsewhere)
    return lines


def _left(catalogue: Catalogue, draft: Draft, matcher: Matcher, elsewhere: dict[str, str]) -> list[str]:
    """What is not mapped: columns, identifiers first, and variables of the catalogue; ``elsewhere`` are columns of other rounds."""
    columns, design, guesses, doubtful = draft.columns, draft.design, draft.guesses, draft.doubtful
    used = design.columns | {name for guess in guesses for name in guess.columns.values()}
    never = {c.name: f"direct identifier: {c.identifies}; never to be mapped" for c in columns if c.identifies}
    lines = ["", "# Columns left in the file on purpose. Direct identifiers must stay here.", *page.mapping_lines("unused", never)]
    left = [column for column in columns if column.name not in used and not column.identifies]
    if left:
        lines.append(f"# {len(left)} columns that nothing was found for: map them, or list each under `unused:` with its reason.")
    lines += page.listed([_not_mapped(column, matcher, elsewhere.get(column.name)) for column in left])
    mapped = {guess.variable for guess in guesses}
    not_found = [n for n, v in catalogue.variables.items() if not v.derived and n not in mapped]
    lines += ["", "absent: {}   # variables of the catalogue that were not asked, each with its reason"]
    if not_found:
        lines.append("# Not found in the file; map them, or move them under `absent:`:")
        maybe = {g.variable: f", perhaps {', '.join(g.columns.values())} ({g.score:.2f})" for g in doubtful}
        lines += page.listed([f"{name}: {catalogue.variables[name].label}{maybe.get(name, '')}" for name in not_found])
    return [*lines, 'notes: ""   # what makes this survey hard to compare']


def _not_mapped(column: Column, matcher: Matcher, of_another_round: str | None) -> str:
    label = f' "{page.plain(column.label)}"' if column.label else ""
    if of_another_round:
        return f"{column.name}:{label} {of_another_round}"
    near = matcher.nearest(column)
    nearest = f"; nearest {near[0]} ({near[1]:.2f})" if near else ""
    if column.distinct == 0:
        return f"{column.name}:{label} empty"
    kind = "different in every row" if column.unique else f"{column.distinct:,} different values, {column.blank:,} empty"
    return f"{column.name}:{label} {kind}{nearest}"
