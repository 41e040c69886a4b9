"""What one survey is and how its file is coded: `survey.yaml` and `round.yaml`.

Belongs here: the models. Not here: reading the microdata they describe.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from rga.microdata.codes import canonical_code, canonical_keys
from rga.microdata.texts import Hash, InFile, Sql
from rga.microdata.weighting_steps import Calibrate, Equal, Nonresponse, Normalise, Selection, WeightingStep
from rga.microdata.yaml_file import AtKey, StrictModel

LonelyPsu = Literal["adjust", "fail", "remove", "average", "certainty"]
MissingKind = Literal["dont_know", "refused", "not_applicable", "missing"]
SampleType = Literal["probability", "non_probability"]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$", max_length=30)]
SourceCode = Annotated[InFile, BeforeValidator(canonical_code)]
ORDER = (  # steps of a chain: which must come before which, and why
    ("selection", "nonresponse", "those who did not answer were selected too"),
    ("nonresponse", "calibrate", "`calibrate` weighs respondents only"),
    ("nonresponse", "normalise", "`normalise` weighs respondents only"),
    ("selection", "calibrate", "margins would not be met after it"),
    ("multiplicity", "calibrate", "margins would not be met after it"),
)
EQUAL = "equal"
NO_WEIGHT = (
    "name the weight's column, list weighting steps, or write `weighting: equal` where everybody counts alike "
    "(published in table surveys)"
)

TODO = "TODO"  # how `rga new-survey` marks what a draft cannot know


def _filled_in(value: str) -> str:
    if value.lstrip().startswith(TODO):
        raise AtKey("is still to be filled in: only you know it", "replace the TODO, in quotation marks where it is text")
    return value


Told = Annotated[str, AfterValidator(_filled_in)]
Column = Annotated[InFile, StringConstraints(min_length=1, max_length=128), AfterValidator(_filled_in)]


def _said_equal(value: Any) -> Any:
    """`weighting: equal` is short for its only step."""
    return [{"step": EQUAL}] if value == EQUAL else value


def _missing_kinds(value: Any) -> Any:
    return {code: "missing" for code in value} if isinstance(value, list) else value


Codes = Annotated[dict[InFile, str], BeforeValidator(canonical_keys)]
Missing = Annotated[dict[InFile, MissingKind], BeforeValidator(canonical_keys), BeforeValidator(_missing_kinds)]


def _text_values(value: Any) -> Any:
    return {k: canonical_code(v) for k, v in value.items()} if isinstance(value, dict) else value


class ShownTo(StrictModel):
    """Who was shown a question, where chance or a form decided: rows with one of ``codes`` in ``column``."""

    column: Column
    codes: Annotated[list[SourceCode], Field(min_length=1)]


class Source(StrictModel):
    """Where a harmonised variable comes from: one ``column``, a battery's ``columns`` by item, or one ``value`` for everybody.

    With ``separator`` one column holds all that was chosen, and ``codes`` leads to the battery's items. ``blank`` is what an
    empty answer means: a code of the variable or a kind of missing. With ``shown_to`` the others were not asked, by plan.
    """

    column: Column | None = None
    value: SourceCode | None = None
    shown_to: ShownTo | None = None
    columns: dict[str, Column] = {}
    separator: Annotated[InFile, StringConstraints(min_length=1)] | None = None
    codes: Annotated[Codes, BeforeValidator(_text_values)] = {}
    missing: Missing = {}
    blank: SourceCode | None = None

    @model_validator(mode="after")
    def _one_or_many(self) -> Source:
        if self.value is not None:
            if self.column or self.columns or self.codes or self.missing or self.blank or self.shown_to:
                raise ValueError("`value` is the same for everybody: nothing else can be given beside it")
            return self
        if (self.column is None) == (not self.columns):
            raise ValueError("give either `column` or, for a battery, `columns`; or `value`, where it is the same for everybody")
        if self.separator and not self.column:
            raise ValueError("`separator` splits the answers of one `column`; `columns` are split already")
        if both := sorted(set(self.codes) & set(self.missing)):
            raise ValueError(f"code {both[0]} is both mapped and declared missing")
        return self

    @property
    def mapped_columns(self) -> list[str]:
        return [column for column in (self.column, *self.columns.values()) if column]

    @property
    def items(self) -> list[str]:
        """Items of a battery that the survey asked."""
        return list(dict.fromkeys(self.codes.values() if self.separator else self.columns))


class Fieldwork(StrictModel):
    start: date
    end: date

    @model_validator(mode="after")
    def _in_order(self) -> Fieldwork:
        if self.end < self.start:
            raise ValueError("fieldwork ends before it starts")
        return self


class Population(StrictModel):
    """Who the estimates speak for; respondents younger than ``age_min`` are left out, and counted."""

    description: Told
    age_min: int | None = None
    benchmark: str | None = None


class DataFile(StrictModel):
    """A file of answers; ``form`` is the XLSForm they were collected with, whose labels it takes where it has none."""

    path: InFile
    form: InFile | None = None
    sha256: Annotated[Hash, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class Design(StrictModel):
    """Columns that describe the sample; without ``psu`` each respondent is one.

    ``fpc``: how many PSUs the population of the stratum has, or the fraction sampled; without it sampling is with replacement.
    ``shared_psus``: the ids of strata and PSUs are those of the country's other rounds that say so too.
    """

    weight: Column | None = None
    stratum: list[Column] = []
    psu: Column | None = None
    fpc: Column | None = None
    shared_psus: bool = False
    lonely_psu: LonelyPsu = "adjust"


class Response(StrictModel):
    """Whose answers count: rows with a ``complete`` code of ``column``; the others are members of the sample who did not answer."""

    column: Column
    complete: Annotated[list[SourceCode], Field(min_length=1)]


class Auxiliary(StrictModel):
    """A variable for weighting only, of the whole sample or of respondents; without ``codes`` a number."""

    column: Column
    codes: Annotated[dict[InFile, Code], BeforeValidator(canonical_keys), BeforeValidator(_text_values)] = {}
    missing: Missing = {}
    blank: SourceCode | None = None

    @model_validator(mode="after")
    def _mapped_or_missing(self) -> Auxiliary:
        if both := sorted(set(self.codes) & set(self.missing)):
            raise ValueError(f"code {both[0]} is both mapped and declared missing")
        if self.blank and self.blank not in {*self.codes.values(), *get_args(MissingKind)}:
            raise ValueError(f"`blank: {self.blank}` is no code of it and no kind of missing")
        return self


class Duration(StrictModel):
    """How long interviews took: ``column`` in ``unit``; ``shortest``, in the same, is what an honest one takes at least."""

    column: Column
    unit: Literal["minutes", "seconds", "hours"] = "minutes"
    shortest: float | None = Field(default=None, gt=0)

    @property
    def per_minute(self) -> float:
        """Units in a minute."""
        return {"minutes": 1.0, "seconds": 60.0, "hours": 1 / 60}[self.unit]

    @property
    def shortest_minutes(self) -> float:
        return (self.shortest or 0.0) / self.per_minute


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class SurveySpecification(StrictModel):
    """One `survey.yaml`. ``weighting: []`` keeps the weight that came with the file, ``equal`` gives everybody the same.

    ``sample`` says whether chance decided who was invited and who could answer; it follows from ``mode`` where it is not given.
    ``duration`` and ``interviewed`` (a column with the date of the interview) serve checks only. ``not_identifiers`` gives reasons
    why columns that look like direct identifiers are none.
    """

    title: Told
    producer: Told
    citation: Told
    licence: Told
    simulated: bool
    fieldwork: Fieldwork
    mode: Literal["sms", "web", "cati", "ivr", "capi", "mixed"]
    sample: SampleType | None = None
    invited: int | None = Field(default=None, gt=0)
    population: Population
    files: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")], DataFile] = Field(min_length=1)
    respondents: Sql | None = None
    id: Column
    panel_id: Column | None = None
    design: Design = Design()
    response: Response | None = None
    duration: Duration | None = None
    interviewed: Column | None = None
    auxiliary: dict[Name, Auxiliary] = {}
    weighting: Annotated[list[WeightingStep], BeforeValidator(_said_equal)]
    variables: dict[str, Source]
    unused: dict[Column, str] = {}
    not_identifiers: dict[Column, Annotated[str, StringConstraints(strip_whitespace=True, min_length=10)]] = {}
    absent: dict[str, str] = {}
    altered: dict[str, str] = {}
    notes: str = ""
    caution: str = ""
    unconfirmed: dict[str, str] = {}

    @model_validator(mode="after")
    def _consistent(self) -> SurveySpecification:
        if self.unconfirmed:
            names = ", ".join(self.unconfirmed)
            raise ValueError(
                f"`unconfirmed`: compare with questionnaire and sampling report, then delete these lines from the page: {names}"
            )
        if self.respondents is None and len(self.files) > 1:
            raise ValueError("several files need `respondents: |` with the SELECT that joins them")
        if not self.weighting and self.design.weight is None:
            raise AtKey("`[]` keeps the file's weight, and `design.weight` names none", NO_WEIGHT, "weighting")
        if any(isinstance(step, Equal) for step in self.weighting):
            if self.design.weight:
                what = f"`equal` gives everybody the same weight, and `design.weight` names {self.design.weight}"
                raise AtKey(what, "write `weighting: []` to use that weight, or take it out of `design:`", "weighting")
            if len(self.weighting) > 1:
                raise AtKey(
                    "`equal` stands beside other steps", "take it out: without `design.weight` they start from 1", "weighting"
                )
        if taken := sorted(set(self.auxiliary) & ({"stratum", "psu", "base_weight"} | set(self.variables))):
            raise ValueError(f"auxiliary variable `{taken[0]}` has the name of another variable: rename it")
        self._check_weighting()
        if both := sorted(set(self.variables) & set(self.absent)):
            raise ValueError(f"`{both[0]}` is both mapped and declared absent")
        if unmapped := sorted(set(self.altered) - set(self.variables)):
            raise ValueError(f"`{unmapped[0]}` is declared altered, but not mapped under `variables`")
        if read := sorted(set(self.unused) & set(self.columns_read)):
            raise ValueError(f"column `{read[0]}` is listed under `unused`, and yet read")
        return self

    def _check_weighting(self) -> None:
        """What a step needs of the rest of the page. Raises ValueError."""
        for number, step in enumerate(self.weighting, 1):
            where = f"weighting step {number} ({step.step})"
            if _needs_benchmark(step) and not self.population.benchmark:
                raise ValueError(f"{where}: `population.benchmark` must name the benchmark")
            if isinstance(step, Nonresponse) and self.response is None:
                raise ValueError(f"{where}: needs non-respondents in the file, and `response: {{column: ..., complete: [1]}}`")
            if isinstance(step, Selection) and step.by in self.auxiliary:
                self._check_selection(step, number)
            for name in {*step.categorical, *step.either}:
                if (name == "stratum" and not self.design.stratum) or (name == "psu" and not self.design.psu):
                    raise ValueError(f"{where}: names `{name}`, and `design` has none")
        steps: list[str] = [step.step for step in self.weighting]
        for first, then, reason in ORDER:
            if first in steps and then in steps and steps.index(then) < (late := _last(steps, first)):
                what = f"step {late + 1} (`{first}`) is listed after step {steps.index(then) + 1} (`{then}`): {reason}"
                raise AtKey(what, f"move `{first}` up, before `{then}`", "weighting", late)
        if steps.count("nonresponse") > 1:
            raise ValueError("weighting: one step `nonresponse` is enough; after it nobody is left who did not respond")

    def _check_selection(self, step: Selection, number: int) -> None:
        """That people of every category of ``step.by`` were selected, and no others. Raises ValueError."""
        codes, counted = set(self.auxiliary[step.by].codes.values()), set(step.population)
        if codes and (uncounted := sorted(codes - counted)):
            what = f"category {uncounted[0]} of `{step.by}` is counted neither in `population` nor in `invited`"
            remedy = f"add {uncounted[0]} to both, or map its code to a category that is counted"
            raise AtKey(what, remedy, "weighting", number - 1)
        if codes and (strange := sorted(counted - codes)):
            what = f"`population` and `invited` count category {strange[0]}, and no code of `auxiliary: {step.by}` is mapped to it"
            raise AtKey(what, f"map a code of the file to {strange[0]}, or take it out of both", "weighting", number - 1)

    @property
    def sample_type(self) -> SampleType:
        """As given, else by mode: who answers a text message or a link on the web selects themselves."""
        return self.sample or ("non_probability" if self.mode in ("sms", "web") else "probability")

    @property
    def benchmark_used(self) -> str | None:
        """The benchmark that some weighting step takes figures from."""
        return self.population.benchmark if any(map(_needs_benchmark, self.weighting)) else None

    @property
    def all_invited(self) -> int | None:
        """Invitations sent: as given, else those that step `selection` counts."""
        counted = [round(sum(step.invited.values())) for step in self.weighting if isinstance(step, Selection)]
        return self.invited or (counted[0] if counted else None)

    @property
    def harmonised_columns(self) -> set[str]:
        """Columns of the catalogue that the survey gives; a battery's are `battery_item`."""
        return {f"{name}_{item}" if item else name for name, source in self.variables.items() for item in source.items or [""]}

    @property
    def columns_read(self) -> list[str]:
        """Source columns that are read: design and mapped; every other column stays in the file."""
        return list(dict.fromkeys(self.design_columns + self.mapped_columns))

    @property
    def design_columns(self) -> list[str]:
        """Identifiers and the columns that describe the sample, those for weighting only included."""
        design = [self.id, self.panel_id, self.design.weight, self.design.psu, self.design.fpc, *self.design.stratum]
        design += [self.duration.column if self.duration else None, self.interviewed]
        design += [self.response.column if self.response else None, *(source.column for source in self.auxiliary.values())]
        design += [source.shown_to.column for source in self.variables.values() if source.shown_to]
        return [column for column in design if column]

    @property
    def mapped_columns(self) -> list[str]:
        return [column for source in self.variables.values() for column in source.mapped_columns]


def _needs_benchmark(step: WeightingStep) -> bool:
    return isinstance(step, Calibrate) or (isinstance(step, Normalise) and step.to == "population")


def _last(steps: list[str], step: str) -> int:
    return len(steps) - 1 - steps[::-1].index(step)


class RoundSpecification(StrictModel):
    title: str
    year: int = Field(ge=1990, le=2100)
    publication: str = ""
    notes: str = ""
