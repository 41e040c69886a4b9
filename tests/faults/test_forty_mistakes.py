"""The mistakes of people who add a survey, each with where it is told and in which words.

Belongs here: one row of the table per mistake. A draft (`rga new-survey`) must not make it; `rga check` tells it as an error, which
keeps the survey from being built, or as a flag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
import yaml

from assets.survey_check import SurveyCheck, check_surveys
from rga.errors import InputError
from rga.microdata.data_root import DataRoot
from rga.onboarding.draft import Request, write_draft

N = 400
HERE, BEFORE, ELSEWHERE = "2021-r2_BGD", "2020-r1_BGD", "2021-r2_PAK"
CATALOGUE = {
    "variables": """
variables:
  sex: {label: Sex, module: r, codes: {F: Women, M: Men}}
  age: {label: Age in completed years, module: r, minimum: 0, maximum: 120}
  residence: {label: Place of residence, module: r, codes: {U: Urban, R: Rural}}
  income_fell: {label: Household income fell since the crisis began, module: e, codes: {"yes": "Yes", "no": "No"}}
  worry: {label: Worried about having enough food, module: e, codes: {never: Never, sometimes: Sometimes, often: Often}}
  n_children: {label: Number of children aged 0 to 17 in the household, module: r, minimum: 0, maximum: 30}
  chores:
    {label: Time spent on unpaid work, module: u, items: {cook: Cooking, clean: Cleaning, water: Fetching water},
     codes: {more: More time, same: No change, less: Less time}}
""",
    "indicators": """
indicators:
  FELL: {title: Income fell, module: e, numerator: "income_fell = 'yes'"}
  COOK: {title: Cooks more, module: u, numerator: "chores_cook = 'more'"}
""",
    "breakdowns": "breakdowns: [total, sex]\n",
    "synonyms": "codes: {F: {en: [female, woman]}, M: {en: [male, man]}}\n",
}
PAGE = {
    "title": "Rapid survey, Bangladesh, 2021",
    "producer": "Nobody",
    "citation": "Nobody (2021). Rapid survey of Bangladesh.",
    "licence": "None",
    "simulated": True,
    "fieldwork": {"start": "2021-05-01", "end": "2021-05-20"},
    "mode": "cati",
    "population": {"description": "Adults", "age_min": 18},
    "files": {"respondents": {"path": "data.sav"}},
    "id": "ID",
    "design": {"weight": "wt", "stratum": ["region"], "psu": "cluster"},
    "weighting": [],
    "variables": {
        "sex": {"column": "q1", "codes": {1: "M", 2: "F"}, "missing": {9: "refused"}},
        "age": {"column": "q2", "missing": {99: "refused"}},
        "income_fell": {"column": "q3", "codes": {1: "yes", 2: "no"}},
        "worry": {"column": "q4", "codes": {1: "never", 2: "sometimes", 3: "often"}},
        "chores": {"columns": {"cook": "q5a", "clean": "q5b", "water": "q5c"}, "codes": {1: "more", 2: "same", 3: "less"}},
    },
    "unused": {},
    "absent": {"residence": "not asked", "n_children": "not asked"},
}
LABELS = {
    "ID": "Respondent id", "wt": "Weight", "region": "Region", "cluster": "Cluster", "q1": "Sex", "q2": "Age in completed years",
    "q3": "Household income fell", "q4": "Worried about having enough food", "q5a": "Time spent: cooking",
    "q5b": "Time spent: cleaning", "q5c": "Time spent: fetching water",
}  # fmt: skip
MORE = {1: "More time", 2: "No change", 3: "Less time"}
VALUES = {
    "q1": {1: "Male", 2: "Female", 9: "Refused"}, "q2": {99: "Refused"}, "q3": {1: "Yes", 2: "No"},
    "q4": {1: "Never", 2: "Sometimes", 3: "Often"}, "q5a": MORE, "q5b": MORE, "q5c": MORE,
}  # fmt: skip


@dataclass
class File:
    """A file and its page, sound until somebody makes a mistake."""

    frame: pd.DataFrame
    labels: dict[str, str] = field(default_factory=lambda: dict(LABELS))
    values: dict[str, dict] = field(default_factory=lambda: {name: dict(codes) for name, codes in VALUES.items()})
    page: dict = field(default_factory=lambda: yaml.safe_load(yaml.safe_dump(PAGE)))

    def add(self, name: str, values: object, label: str = "", codes: dict | None = None) -> None:
        self.frame[name] = values
        self.labels[name] = label
        self.values |= {name: codes} if codes else {}

    def of_rounds(self, variable: str, *rounds: int, name: str = "{}_r{}", label: str = "{} (Round {})") -> None:
        """Ask ``variable`` in several ``rounds``; the page still names the column it had, which is gone."""
        column = self.page["variables"][variable]["column"]
        for number in rounds:
            of_round = np.random.default_rng(number).permutation(self.frame[column].to_numpy())
            self.add(name.format(column, number), of_round, label.format(self.labels[column], number), self.values.get(column))
        self.frame, self.labels = self.frame.drop(columns=column), {k: v for k, v in self.labels.items() if k != column}


def sound(seed: int = 1) -> File:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"ID": np.arange(N) + 1, "wt": rng.uniform(0.5, 2, N), "region": rng.integers(1, 4, N)})
    frame["cluster"] = frame["region"] * 100 + rng.integers(1, 9, N)
    frame["q1"], frame["q2"] = rng.integers(1, 3, N), rng.integers(18, 80, N)
    frame.loc[:3, "q1"], frame.loc[:3, "q2"] = 9, 99
    frame["q3"], frame["q4"] = rng.integers(1, 3, N), rng.integers(1, 4, N)
    for item in "abc":
        frame[f"q5{item}"] = rng.integers(1, 4, N)
    return File(frame)


def write(root: Path, key: str, file: File) -> None:
    folder = root / key.replace("_", "/")
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "round.yaml").write_text(f"title: A round\nyear: {key[:4]}\n")
    labels = {name: file.labels.get(name) or "" for name in file.frame}
    values = {name: codes for name, codes in file.values.items() if name in file.frame}
    path = folder / file.page["files"]["respondents"]["path"]
    if path.suffix == ".csv":
        file.frame.to_csv(path, index=False)
    else:
        pyreadstat.write_sav(file.frame, path, column_labels=labels, variable_value_labels=values)
    (folder / "survey.yaml").write_text(yaml.safe_dump(file.page, sort_keys=False, allow_unicode=True))


def catalogue(root: Path) -> None:
    (root / "catalogue").mkdir(parents=True)
    for name, text in CATALOGUE.items():
        (root / "catalogue" / f"{name}.yaml").write_text(text)


def checked(root: Path, key: str = HERE) -> SurveyCheck:
    (found,) = check_surveys(DataRoot(root), [key])
    return found


Mistake = Callable[[File], None]


def variable(name: str, **changes: object) -> Mistake:
    return lambda file: file.page["variables"][name].update(changes)


def page(**changes: object) -> Mistake:
    return lambda file: file.page.update(changes)


def both(*mistakes: Mistake) -> Mistake:
    def all_of_them(file: File) -> None:
        for mistake in mistakes:
            mistake(file)

    return all_of_them


def column(name: str, values: Callable[[File], object], label: str = "") -> Mistake:
    return lambda file: file.add(name, values(file), label)


def rounds(of: str, *numbers: int, **names: str) -> Mistake:
    return lambda file: file.of_rounds(of, *numbers, **names)


def blank(name: str, rows: int, to: object = np.nan) -> Mistake:
    def made(file: File) -> None:
        file.frame[name] = file.frame[name].astype("float64").mask(np.arange(N) < rows, to)

    return made


def text_file(file: File) -> None:
    """The answers as words, in a file without labels."""
    file.page["files"] = {"respondents": {"path": "data.csv"}}
    for name, codes in file.values.items():
        file.frame[name] = file.frame[name].map(lambda code, codes=codes: codes.get(code, code))
    file.page["variables"] |= {
        "sex": {"column": "q1", "codes": {"Male": "M", "Female": "F"}, "missing": {"Refused": "refused"}},
        "age": {"column": "q2", "missing": {"Refused": "refused"}},
        "income_fell": {"column": "q3", "codes": {"Yes": "yes", "No": "no"}},
        "worry": {"column": "q4", "codes": {"Never": "never", "Sometimes": "sometimes", "Often": "often"}},
    }
    file.page["variables"]["chores"]["codes"] = {"More time": "more", "No change": "same", "Less time": "less"}


def random(file: File) -> np.ndarray:
    return np.random.default_rng(7).uniform(0.4, 3, N)


def groups(file: File) -> np.ndarray:
    return np.arange(N) % 20 + 1


# what somebody does -> error or flag, which check, and words of the message
MISTAKES: dict[str, tuple[Mistake, str, str, list[str]]] = {
    # point 8: rounds
    "last round's column, by its name": (
        both(rounds("income_fell", 1, 2), variable("income_fell", column="q3_r1")),
        "flag", "other_round", ["q3_r1 (income_fell) is of round 1: q3_r2"],
    ),
    "last round's column, by its label": (
        both(rounds("income_fell", 1, 2, name="x{}{}", label="{} - wave {}"), variable("income_fell", column="xq31")),
        "flag", "other_round", ["xq31 (income_fell) is of round 1: xq32"],
    ),
    "age of round 0 for that of all rounds since": (
        both(column("age0", lambda f: f.frame["q2"] - 1, "Age (Round 0)"),
             column("age_p", lambda f: f.frame["q2"], "Age (Round 1+)"),
             variable("age", column="age0", missing={98: "refused"})),
        "flag", "other_round", ["age0 (age) is of round 0: age_p"],
    ),
    "last round's weight": (
        both(column("wt_r1", random, "Weight (Round 1)"), column("wt_r2", random, "Weight (Round 2)"),
             lambda f: f.page["design"].update(weight="wt_r1")),
        "flag", "other_round", ["wt_r1 (weight) is of round 1: wt_r2"],
    ),
    "last round's respondents": (
        both(column("interviewed_r1", lambda f: 1, "Interviewed (Round 1)"),
             column("interviewed_r2", lambda f: 1, "Interviewed (Round 2)"),
             page(respondents="SELECT * FROM respondents WHERE interviewed_r1 = 1")),
        "flag", "other_round", ["interviewed_r1 (respondents) is of round 1: interviewed_r2"],
    ),
    "one column of another of the producer's waves": (
        both(rounds("income_fell", 24, 25), rounds("worry", 24, 25), rounds("sex", 24, 25),
             variable("income_fell", column="q3_r24"), variable("worry", column="q4_r25"), variable("sex", column="q1_r25")),
        "flag", "other_round", ["q3_r24 (income_fell) is of round 24: q3_r25"],
    ),
    # point 9: the design
    "a weight that nobody took": (
        both(column("NWW25", random, "New Weight Wave 25"), lambda f: f.page["design"].pop("weight"), page(weighting="equal")),
        "flag", "unused_design", ["look like a weight", "NWW25"],
    ),
    "a better weight beside the one that is used": (
        column("finalwgt", random), "flag", "unused_design", ["look like a weight", "(used: wt)", "finalwgt"],
    ),
    "a stratum that nobody took": (
        both(column("strata", groups, "Sampling stratum"), lambda f: f.page["design"].pop("stratum")),
        "flag", "unused_design", ["look like a stratum", "strata"],
    ),
    "a PSU that nobody took": (
        lambda f: f.page["design"].pop("psu"), "flag", "unused_design", ["look like a PSU", "cluster"],
    ),
    "no weight, and nothing said of it": (
        lambda f: f.page["design"].pop("weight"), "error", "specification", ["design.weight", "weighting: equal"],
    ),
    "a weight, and yet all equal": (
        page(weighting="equal"), "error", "specification", ["`equal` gives everybody the same weight", "names wt"],
    ),
    "equal weights and then a step": (
        both(lambda f: f.page["design"].pop("weight"), page(weighting=[{"step": "equal"}, {"step": "normalise", "to": "n"}])),
        "error", "specification", ["`equal` stands beside other steps"],
    ),
    "a draft's open weight left as it is": (
        lambda f: f.page["design"].update(weight="TODO: wt_w24 or wt_w25"),
        "error", "specification", ["still to be filled in"],
    ),
    # point 10: the wrong country
    "the title of another country": (
        page(title="Rapid survey, Pakistan, 2021"), "flag", "other_country", ["`title` names Pakistan", "Bangladesh"],
    ),
    "the citation of another country": (
        page(citation="Nobody (2021). Rapid survey of Papua New Guinea."),
        "flag", "other_country", ["`citation` names Papua New Guinea"],
    ),
    # point 11: against the file's own labels
    "women and men turned over": (
        variable("sex", codes={1: "F", 2: "M"}), "flag", "contradicted_labels", ["code 1 reads 'Male', which is M, and"],
    ),
    "yes and no turned over": (
        variable("income_fell", codes={1: "no", 2: "yes"}), "flag", "contradicted_labels", ["code 1 reads 'Yes', which is yes"],
    ),
    "a scale from its other end": (
        variable("worry", codes={3: "never", 2: "sometimes", 1: "often"}),
        "flag", "contradicted_labels", ["code 3 reads 'Often', which is often, and is mapped to never"],
    ),
    "women and men turned over in a text file": (
        both(text_file, lambda f: f.page["variables"]["sex"].update(codes={"Male": "F", "Female": "M"})),
        "flag", "contradicted_labels", ["code Female reads 'Female', which is F, and is mapped to M"],
    ),
    "a refusal taken for an answer": (
        variable("sex", codes={1: "M", 2: "F", 9: "F"}, missing={}),
        "flag", "contradicted_labels", ["code 9 reads 'Refused', which is refused, and is mapped to F"],
    ),
    "an answer declared missing": (
        variable("income_fell", codes={1: "yes"}, missing={2: "refused"}),
        "flag", "contradicted_labels", ["code 2 reads 'No', which is no, and is mapped to refused"],
    ),
    "a refusal counted as 99 years": (
        variable("age", missing={}),
        "flag", "contradicted_labels", ["code 99 reads 'Refused', which is refused, and 4 count it as a number"],
    ),
    "two columns of a battery turned over": (
        variable("chores", columns={"cook": "q5b", "clean": "q5a", "water": "q5c"}),
        "flag", "contradicted_labels", ["column q5b reads 'Time spent: cleaning', which is clean, and is mapped to cook"],
    ),
    "another question's column": (
        both(column("hh", lambda f: f.frame["q3"], "Household income fell since the crisis began"),
             page(absent={"n_children": "not asked"}), lambda f: f.page["variables"].update(
                 residence={"column": "hh", "codes": {1: "U", 2: "R"}})),
        "flag", "contradicted_labels", ["column hh reads", "which is income_fell"],
    ),
    # point 12: the design's blanks and zeros
    "blank strata": (blank("region", 7), "error", "specification", ["variable region", "7 rows", "respondents without a stratum"]),
    "blank PSUs": (blank("cluster", 7), "error", "specification", ["variable cluster", "7 rows", "respondents without a PSU"]),
    "weights of zero": (blank("wt", 9, 0.0), "flag", "zero_weights", ["9 respondents have a weight of 0"]),
}  # fmt: skip


def test_nothing_is_said_of_a_sound_survey(tmp_path: Path) -> None:
    catalogue(tmp_path)
    for number, key in enumerate((BEFORE, HERE, ELSEWHERE)):
        file = sound(number)
        file.page |= {"title": "A survey", "citation": "Nobody"}
        file.page["fieldwork"] = {"start": f"{key[:4]}-05-01", "end": f"{key[:4]}-05-20"}
        write(tmp_path, key, file)
    for check in check_surveys(DataRoot(tmp_path), [BEFORE, HERE, ELSEWHERE]):
        assert not check.error and not [str(f) for f in check.findings if f.check != "change_between_rounds"]


@pytest.mark.parametrize(("mistake", "severity", "name", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told(tmp_path: Path, mistake: Mistake, severity: str, name: str, words: list[str]) -> None:
    catalogue(tmp_path)
    file = sound()
    mistake(file)
    write(tmp_path, HERE, file)
    check = checked(tmp_path)
    found = [finding for finding in check.findings if finding.check == name]
    assert len(found) == 1 and found[0].severity == severity, (check.error, [str(f) for f in check.findings])
    assert found[0].remedy, "what to do about it"
    said = check.error if severity == "error" else str(found[0])
    assert (check.facts is None) == (severity == "error")
    for word in words:
        assert word in said, said


def test_a_code_that_is_no_country_is_an_error_of_the_survey_and_of_a_draft(tmp_path: Path) -> None:
    catalogue(tmp_path)
    write(tmp_path, "2021-r2_XXX", sound())
    assert "XXX is the code of no country" in checked(tmp_path, "2021-r2_XXX").error
    file = tmp_path / "2021-r2" / "XXX" / "data.sav"
    with pytest.raises(InputError, match="XXQ is the code of no country"):
        write_draft(DataRoot(tmp_path), Request([file], "XXQ", "2021-r2"))


# the same people twice: what the other survey has, where, and what is said
TWICE: dict[str, tuple[str, Mistake, str]] = {
    "the other country's file": (ELSEWHERE, lambda file: None, "error"),
    "last round's file": (BEFORE, lambda file: None, "error"),
    "its rows in another order": (ELSEWHERE, lambda file: setattr(file, "frame", file.frame.iloc[::-1]), "error"),
    "in another format": (ELSEWHERE, text_file, "error"),
    "under another weight": (BEFORE, lambda file: file.add("wt", random(file), "Weight"), "error"),
    "with one more question": (
        BEFORE, both(column("q9", lambda f: f.frame["q1"], "Place of residence"), page(absent={"n_children": "not asked"}),
                     lambda f: f.page["variables"].update(residence={"column": "q9", "codes": {1: "U", 2: "R"}, "missing": [9]})),
        "error",
    ),
    "but for one person": (BEFORE, lambda file: setattr(file, "frame", file.frame.iloc[1:]), "flag"),
    "but for a third, interviewed anew": (BEFORE, lambda file: anew(file, N // 3, ["q3", "q4", "q5a", "q5b", "q5c"]), "flag"),
    "in one question only": (BEFORE, lambda file: anew(file, N, ["q3", "q4", "q5a", "q5b"]), "flag"),
    "asked again in full": (BEFORE, lambda file: anew(file, N, ["q3", "q4", "q5a", "q5b", "q5c"]), ""),
}  # fmt: skip


def anew(file: File, rows: int, columns: list[str]) -> None:
    """Other answers of the first ``rows``."""
    rng = np.random.default_rng(99)
    for name in columns:
        file.frame.loc[file.frame.index[:rows], name] = rng.integers(1, len(file.values[name]) + 1, rows)


@pytest.mark.parametrize(("other", "change", "severity"), TWICE.values(), ids=TWICE)
def test_the_same_people_twice_are_told(tmp_path: Path, other: str, change: Mistake, severity: str) -> None:
    catalogue(tmp_path)
    write(tmp_path, HERE, sound())
    file = sound()
    change(file)
    write(tmp_path, other, file)
    later = max(HERE, other)
    checks = {check.survey_id: check for check in check_surveys(DataRoot(tmp_path), [HERE, other])}
    found = [finding for finding in checks[later].findings if finding.check == "same_respondents"]
    assert [finding.severity for finding in found] == ([severity] if severity else []), found
    if severity == "error":
        for one, two in ((HERE, other), (other, HERE)):
            assert f"{N} respondents, all of them, are those of {two}" in checks[one].error
    elif severity:
        assert f"{min(HERE, other)}" in found[0].message


def test_one_file_serves_several_rounds_through_other_columns_or_rows(tmp_path: Path) -> None:
    catalogue(tmp_path)
    for key, number in ((BEFORE, 1), (HERE, 2)):
        file = sound()
        for name in ("income_fell", "worry"):
            file.of_rounds(name, 1, 2)
        file.page["variables"]["income_fell"]["column"] = f"q3_r{number}"
        file.page["variables"]["worry"]["column"] = f"q4_r{number}"
        file.page["variables"].pop("chores")
        write(tmp_path, key, file)
    for check in check_surveys(DataRoot(tmp_path), [BEFORE, HERE]):
        assert not check.error and not [f for f in check.findings if f.check in ("same_respondents", "other_round")]


def drafted(
    tmp_path: Path, file: File, round_id: str = "2021-r2", like: str | None = None, form: str = "new.sav"
) -> tuple[dict, str]:
    """The page that `rga new-survey` writes for ``file``, and its text."""
    if not (tmp_path / "root").exists():
        catalogue(tmp_path / "root")
    path = tmp_path / form
    values = {name: codes for name, codes in file.values.items() if name in file.frame}
    labels = {name: file.labels.get(name) or "" for name in file.frame}
    pyreadstat.write_sav(file.frame, path, column_labels=labels, variable_value_labels=values)
    place, _ = write_draft(DataRoot(tmp_path / "root"), Request([path], "BGD", round_id, like=like))
    text = place.read_text(encoding="utf-8")
    return yaml.safe_load(text), text


def test_a_draft_takes_this_round_s_columns_for_every_variable_and_the_weight(tmp_path: Path) -> None:
    file = sound()
    for name in ("income_fell", "worry"):
        file.of_rounds(name, 1, 2, 3)
    for number in (1, 2, 3):
        file.add(f"wt_r{number}", random(file), f"Weight (Round {number})")
    file.frame = file.frame.drop(columns="wt")
    data, text = drafted(tmp_path, file)
    assert data["variables"]["income_fell"]["column"] == "q3_r2" and data["variables"]["worry"]["column"] == "q4_r2"
    assert data["design"]["weight"] == "wt_r2" and "of round 1; of this round is q3_r2" in text


def test_a_draft_like_last_round_s_takes_this_round_s_columns(tmp_path: Path) -> None:
    file = sound()
    for name in ("income_fell", "worry"):
        file.of_rounds(name, 1, 2)
    file.page["variables"]["income_fell"]["column"], file.page["variables"]["worry"]["column"] = "q3_r1", "q4_r1"
    catalogue(tmp_path / "root")
    write(tmp_path / "root", BEFORE, file)
    data, text = drafted(tmp_path, file, like="2020-r1/BGD")
    assert data["variables"]["income_fell"]["column"] == "q3_r2" and data["variables"]["worry"]["column"] == "q4_r2"
    assert "column q3_r1 is of round 1; of this round is q3_r2" in text
    assert data["variables"]["sex"]["column"] == "q1", "what speaks of no round is kept"


def test_a_draft_leaves_open_what_was_not_asked_in_this_round(tmp_path: Path) -> None:
    file = sound()
    file.of_rounds("income_fell", 1, 2)
    file.of_rounds("worry", 1)
    file.page["variables"]["income_fell"]["column"], file.page["variables"]["worry"]["column"] = "q3_r1", "q4_r1"
    catalogue(tmp_path / "root")
    write(tmp_path / "root", BEFORE, file)
    data, text = drafted(tmp_path, file, like="2020-r1/BGD")
    assert data["variables"]["income_fell"]["column"] == "q3_r2" and "worry" not in data["variables"]
    assert "worry: column q4_r1 is of round 1, and there is none of round 2: left blank" in text


def test_a_draft_leaves_open_which_of_the_producer_s_waves_is_meant(tmp_path: Path) -> None:
    file = sound()
    file.of_rounds("income_fell", 24, 25)
    for number in (24, 25):
        file.add(f"wt_r{number}", random(file), f"Weight, wave {number}")
    file.frame = file.frame.drop(columns="wt")
    data, text = drafted(tmp_path, file)
    assert "income_fell" not in data["variables"] and data["design"]["weight"].startswith("TODO: wt_r2")
    assert "which of rounds 24, 25 is this survey's, the file does not say" in text


def test_a_draft_finds_the_only_weight_whatever_wave_it_names(tmp_path: Path) -> None:
    file = sound()
    file.add("NWW25", random(file), "New Weight Wave 25")
    file.frame = file.frame.drop(columns="wt")
    data, _ = drafted(tmp_path, file)
    assert data["design"]["weight"] == "NWW25" and data["weighting"] == []


def test_a_draft_s_counts_are_of_people_interviewed_in_this_round(tmp_path: Path) -> None:
    file = sound()
    file.frame = file.frame.rename(columns={"wt": "wt_r2"})
    file.labels["wt_r2"] = "Weight (Round 2)"
    file.frame.loc[file.frame.index[100:], "wt_r2"] = np.nan
    data, text = drafted(tmp_path, file)
    men, women = ((file.frame["q1"][:100] == code).sum() for code in (1, 2))
    assert f'1 "Male" = M ({men}); 2 "Female" = F ({women})' in text
    assert " ".join(data["respondents"].split()) == "SELECT * FROM respondents WHERE respondents.wt_r2 IS NOT NULL"


def test_a_draft_takes_no_number_of_something_else_for_children(tmp_path: Path) -> None:
    file = sound()
    file.add("crops", np.random.default_rng(3).integers(0, 9, N), "Number of crops cultivated")
    data, _ = drafted(tmp_path, file)
    assert "n_children" not in data["variables"] and data["variables"]["sex"]["column"] == "q1"


def test_a_draft_without_a_weight_says_equal_for_somebody_to_confirm(tmp_path: Path) -> None:
    file = sound()
    file.frame = file.frame.drop(columns="wt")
    data, _ = drafted(tmp_path, file)
    assert data["weighting"] == "equal" and "does everybody count alike?" in data["unconfirmed"]["weighting"]
    page = tmp_path / "root/2021-r2/BGD/survey.yaml"
    text = page.read_text()
    completed = data | {k: v for k, v in PAGE.items() if k in ("title", "producer", "citation", "licence", "simulated", "mode")}
    completed |= {"fieldwork": PAGE["fieldwork"], "population": PAGE["population"], "unconfirmed": {}}
    page.write_text(yaml.safe_dump(completed))
    check = checked(tmp_path / "root")
    assert "weighting: equal" in text and not check.error, "what a draft writes is accepted"
