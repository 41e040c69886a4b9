"""The whole weighting chain through `rga build`: two small surveys of known samples, every step between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assets.corrections import Review
from assets.metadata import picture
from assets.survey_tables import stage_survey
from assets.weighting_effects import effect_tables
from assets.weights import Weights, weigh
from rga.errors import InputError
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import prepare
from tests.pipeline.place import Place, fresh, statuses

LISTED, DIALLED = "2021-r2_BGD", "2021-r2_PAK"
WEB = "2020-r1_WSM"
SURVEY = """
title: A small survey
producer: We
citation: We (2021)
licence: CC BY 4.0
simulated: true
fieldwork: {start: 2021-08-02, end: 2021-09-10}
mode: MODE
population: {description: Adults, age_min: 18, benchmark: wpp2019-2021}
files: {respondents: {path: sample.csv}}
id: who
design: {stratum: [region]}
response: {column: disposition, complete: [1]}
auxiliary:
  operator: {column: op, codes: {1: A, 2: B}}
  place: {column: region, codes: {1: north, 2: south}}
  phones: {column: s3, missing: [99]}
  adults: {column: s4}
weighting:
CHAIN
variables:
  sex: {column: q1, codes: {1: F, 2: M, 3: O}}
  age: {column: q2}
  education: {column: q3, codes: {0: below_primary, 1: primary, 2: secondary, 3: tertiary}}
  mental_health: {column: q4, codes: {1: 'yes', 2: 'no'}}
unused: {}
"""
CHAINS = {
    LISTED: """
  - {step: selection, by: operator, population: {A: 5200000, B: 2100000}, invited: {A: 300, B: 300}, why: rates of invitation}
  - {step: multiplicity, divide: phones, multiply: adults, cap: 5}
  - {step: nonresponse, method: classes, cells: [stratum, operator]}
  - {step: calibrate, method: raking, margins: [sex*age_group, sex*education], collapse: [age_group, education], collapse_below: 5}
  - {step: trim, max_ratio: 3}
  - {step: normalise, to: n}""",
    DIALLED: """
  - {step: multiplicity, divide: phones}
  - {step: nonresponse, method: propensity, predictors: [operator, place], classes: 3}
  - {step: calibrate, method: logit, margins: [sex], numbers: [phones], bounds: [0.2, 5], trim: 8}
  - {step: normalise, to: population}""",
}


def sample(seed: int, size: int = 1400) -> pd.DataFrame:
    """A sample of whom about half answered, more of operator A and of the north; five of those who did are under age."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"who": [f"SENTINEL{number}" for number in range(size)], "op": rng.integers(1, 3, size)})
    frame["region"] = rng.integers(1, 3, size)
    answered = rng.random(size) < 0.75 - 0.2 * (frame["op"] == 2) - 0.15 * (frame["region"] == 2)
    frame["disposition"] = np.where(answered, 1, rng.integers(2, 5, size))
    for name, values in {
        "s3": rng.choice([1, 2, 7, 99], size, p=[0.6, 0.3, 0.05, 0.05]), "s4": rng.integers(1, 5, size),
        "q1": rng.choice([1, 2, 3], size, p=[0.4, 0.59, 0.01]), "q2": rng.integers(18, 80, size), "q3": rng.integers(0, 4, size),
        "q4": rng.integers(1, 3, size),
    }.items():  # fmt: skip
        frame[name] = pd.Series(values, dtype="Int64").where(answered)
    young = frame.index[answered][:5]
    frame.loc[young, "q2"] = 15
    return frame


def add_phones(place: Place) -> None:
    """The mean number of phones, as a survey of the year before has it, to the benchmark."""
    folder = place.raw_data / "benchmarks" / "wpp2019-2021"
    (folder / "phones.csv").write_text("iso3,mean\nBGD,1.5\nPAK,1.5\n")
    with (folder / "source.yaml").open("a") as file:
        file.write("  - {margin: phones, file: phones.csv, measure: mean, year: 2020, producer: A, licence: A, citation: A}\n")


@pytest.fixture(scope="module")
def weighted(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = fresh(repository, tmp_path_factory.mktemp("weighted"), [])
    add_phones(place)
    for seed, (survey_id, chain) in enumerate(CHAINS.items()):
        folder = place.survey_yaml(survey_id).parent
        folder.mkdir()
        mode = "sms" if survey_id == LISTED else "cati"
        place.survey_yaml(survey_id).write_text(SURVEY.replace("CHAIN", chain).replace("MODE", mode))
        sample(seed).to_csv(folder / "sample.csv", index=False)
    found = place.build()
    assert statuses(found) == dict.fromkeys(CHAINS, "built"), [outcome.message for outcome in found.surveys]
    return place


def of(place: Place, survey_id: str) -> tuple[pd.DataFrame, int, int]:
    """The survey's sample, how many of it answered and are adults, and of how many that was asked for."""
    frame = sample(list(CHAINS).index(survey_id))
    answered = frame["disposition"] == 1
    young = answered & (frame["q2"] < 18).fillna(False).astype(bool)
    return frame, int((answered & ~young).sum()), int((~young).sum())


@pytest.mark.parametrize("survey_id", CHAINS)
def test_every_step_leaves_its_row_in_the_users_order_and_counts_respondents_only(weighted: Place, survey_id: str) -> None:
    steps = weighted.ask(f"SELECT * FROM weighting WHERE survey_id = '{survey_id}' ORDER BY step")
    _, n, _ = of(weighted, survey_id)
    if survey_id == LISTED:
        assert steps["action"].tolist() == ["base", "selection", "multiplicity", "nonresponse", "calibrate", "trim", "normalise"]
        assert steps["why"].tolist()[1] == "rates of invitation"
    assert (steps["n"] == n).all()
    assert weighted.ask(f"SELECT n, excluded FROM surveys WHERE survey_id = '{survey_id}'").to_numpy().tolist() == [[n, 5]]
    assert (steps["n_effective_women"] + steps["n_effective_men"] < n).all() and (steps["deff"] >= 1).all()


def test_respondents_carry_the_weight_of_all_who_were_approached(weighted: Place) -> None:
    frame, _, _ = of(weighted, LISTED)
    steps = weighted.ask(f"SELECT * FROM weighting WHERE survey_id = '{LISTED}' ORDER BY step").set_index("action")
    step = steps.loc["nonresponse"]
    assert step["n_sample"] == len(frame) and 40 < step["response_rate"] < 70
    base = frame["op"].map({1: 5_200_000 / 300, 2: 2_100_000 / 300})
    # by hand: classes of region and operator, everybody of the base weight, those who answered to `phones` and `adults`
    phones, adults = frame["s3"].replace(99, pd.NA).clip(upper=5), frame["s4"].clip(upper=5)
    chances = (1 / phones).astype("Float64").fillna(np.nan).astype(float)
    said = chances.notna()
    adults = adults.astype("Float64").fillna(np.nan).astype(float)
    some = adults.notna()
    factor = chances.fillna(np.average(chances[said], weights=base[said])) * adults.fillna(
        np.average(adults[some], weights=base[some])
    )
    weight = base * factor.where(said | some, np.average(factor[said | some], weights=base[said | some]))
    answered = frame["disposition"] == 1
    by_class = weight.groupby([frame["region"], frame["op"]]).transform("sum")
    by_class /= (weight * answered).groupby([frame["region"], frame["op"]]).transform("sum")
    adult = answered & ~(frame["q2"] < 18).fillna(False).astype(bool)
    by_hand = float((weight * by_class)[adult].sum())
    assert step["sum_of_weights"] == pytest.approx(by_hand, rel=0.05), "rounded, as no sum is to give a weight"
    staged = pd.read_parquet(weighted.paths.staging().restricted("weights", LISTED))
    assert staged["weight_before_calibration"].sum() == pytest.approx(by_hand, rel=1e-12)


def test_response_rates_are_those_of_the_sample_without_who_is_known_to_be_too_young(weighted: Place) -> None:
    for survey_id in CHAINS:
        _, n, sampled = of(weighted, survey_id)
        found = weighted.ask(f"SELECT * FROM surveys WHERE survey_id = '{survey_id}'").iloc[0]
        assert found["sampled"] == sampled and found["response_rate"] == pytest.approx(100 * n / sampled, rel=1e-3)
        assert 0 < found["response_rate_weighted"] < 100
        assert found["sample_type"] == ("non_probability" if survey_id == LISTED else "probability")
        assert found["benchmark_population"].startswith("residents: Residents aged 18 and over")


def test_margins_are_met_and_a_trim_afterwards_says_that_it_lets_them_go(weighted: Place) -> None:
    query = "SELECT action, max_margin_error, trimmed, note FROM weighting WHERE survey_id = '{}' ORDER BY step"
    listed, dialled = (weighted.ask(query.format(key)).set_index("action") for key in (LISTED, DIALLED))
    assert listed.loc["calibrate", "max_margin_error"] < 1e-9 < listed.loc["nonresponse", "max_margin_error"]
    assert listed.loc["trim", "max_margin_error"] > 1e-6 and listed.loc["trim", "trimmed"] > 0
    assert "margins are not met again" in listed.loc["trim", "note"]
    assert dialled.loc["normalise", "max_margin_error"] < 1e-9
    margins = weighted.ask(f"SELECT * FROM margins WHERE survey_id = '{DIALLED}'")
    assert margins["after"].to_numpy() == pytest.approx(margins["benchmark"].to_numpy(), rel=1e-9)
    people = margins[margins["margin"] == "sex"]
    assert people["before"].sum() == pytest.approx(people["benchmark"].sum(), rel=0.02)


def test_a_number_has_a_source_and_who_gave_none_counts_at_the_population_mean(weighted: Place) -> None:
    margins = weighted.ask(f"SELECT * FROM margins WHERE survey_id = '{DIALLED}'").set_index("margin")
    found, people = margins.loc["phones"], margins.loc["sex", "benchmark"].sum()
    assert found["source"] == "A, 2020" and found["category"] == "_T" and pd.isna(found["scaled_by"])
    assert found["benchmark"] == pytest.approx(1.5 * people)
    staged = pd.read_parquet(weighted.paths.staging().restricted("weights", DIALLED))
    frame, n, _ = of(weighted, DIALLED)
    phones = frame.set_index("who")["s3"].replace(99, pd.NA)
    given = staged["respondent_id"].map(phones).astype("Float64")
    assert 20 < given.isna().sum() < 60 and found["n"] == n - given.isna().sum()
    before = staged["weight_before_calibration"] / staged["weight_before_calibration"].sum()
    assert found["before"] / people == pytest.approx(float((given.fillna(1.5) * before).sum()), rel=0.02)


def test_the_last_step_decides_what_weights_add_up_to(weighted: Place) -> None:
    total = "SELECT sum_of_weights, n FROM weighting WHERE survey_id = '{}' ORDER BY step DESC LIMIT 1"
    to_n = weighted.ask(total.format(LISTED)).iloc[0]
    assert to_n["sum_of_weights"] == pytest.approx(to_n["n"], rel=0.02)
    people = weighted.ask(f"SELECT sum(benchmark) AS people FROM margins WHERE survey_id = '{DIALLED}' AND margin = 'sex'")[
        "people"
    ][0]
    assert weighted.ask(total.format(DIALLED))["sum_of_weights"][0] == pytest.approx(people, rel=0.02)


def test_each_step_says_what_it_did_to_the_headlines(weighted: Place) -> None:
    effects = weighted.ask(f"SELECT * FROM weighting_effects WHERE survey_id = '{LISTED}' AND indicator = 'HLT_MENTAL'")
    assert sorted(effects["step"].unique()) == list(range(7)) and set(effects["sex"]) == {"F", "M", "_T"}
    last = effects[(effects["step"] == 6)].set_index("sex")["value"]
    where = f"survey_id = '{LISTED}' AND indicator = 'HLT_MENTAL' AND breakdown IN ('sex', 'total')"
    published = weighted.ask(f"SELECT sex, value FROM estimates WHERE {where}").set_index("sex")["value"]
    coarse = effects[(effects["step"] == 6)].set_index("sex")["rounded_to"]
    for sex in ("F", "M"):
        assert abs(last[sex] - published[sex]) <= coarse[sex], "rounded, as few are neither women nor men"
    assert effects.loc[effects["sex"] == "_T", "value"].isna().all(), "other weights would narrow what total less both leaves"
    gaps = weighted.ask("SELECT * FROM weighting_sensitivity WHERE indicator = 'HLT_MENTAL'").set_index(["survey_id", "variant"])
    assert set(gaps.loc[LISTED].index) == {
        *("unweighted", "base", "nonresponse", "sex*age_group only", "sex*education only", "published"),
    }
    more = "more margins: sex*age_group, sex*education"
    assert set(gaps.loc[DIALLED].index) == {
        "unweighted",
        "base",
        "nonresponse",
        "sex only",
        more,
        "published",
    }  # `sex only`: without phones
    after = effects[effects["sex"] != "_T"].pivot(index="step", columns="sex", values="value")
    for variant, step in {"base": 2, "nonresponse": 3}.items():  # after selection and multiplicity
        assert gaps.loc[(LISTED, variant), "gap"] == pytest.approx(after.loc[step, "F"] - after.loc[step, "M"]), variant
    assert gaps.loc[(LISTED, "published"), "gap"] == pytest.approx(last["F"] - last["M"])
    frame = sample(0)
    adult = frame[(frame["disposition"] == 1) & (frame["q2"] >= 18)]
    plain = 100 * (adult["q4"] == 1).groupby(adult["q1"]).mean()
    assert gaps.loc[(LISTED, "unweighted"), "gap"] == pytest.approx(float(plain[1] - plain[2]), abs=coarse["F"] + coarse["M"])


def test_who_did_not_answer_is_staged_nowhere_and_auxiliary_variables_with_nobody(weighted: Place) -> None:
    staging = weighted.paths.staging()
    for survey_id in CHAINS:
        frame, n, _ = of(weighted, survey_id)
        silent = set(frame.loc[frame["disposition"] != 1, "who"])
        for name in ("respondents", "weights"):
            staged = pd.read_parquet(staging.restricted(name, survey_id))
            assert len(staged) == n and not silent & set(staged["respondent_id"])
            assert not {"operator", "phones", "adults", "place"} & set(staged.columns)


def test_weights_keep_what_the_last_calibration_started_from_and_its_margins(weighted: Place) -> None:
    staged = pd.read_parquet(weighted.paths.staging().restricted("weights", DIALLED))
    assert list(staged) == ["survey_id", "respondent_id", "weight", "weight_before_calibration", "margin_1"]
    respondents = pd.read_parquet(weighted.paths.staging().restricted("respondents", DIALLED))
    known = respondents["sex"].isin(["F", "M"])
    assert (staged["margin_1"].str[:1] == respondents["sex"].where(known, "_").str[:1]).all()
    before = staged["weight_before_calibration"]
    said = weighted.ask(f"SELECT sum_of_weights FROM weighting WHERE survey_id = '{DIALLED}' AND action = 'nonresponse'")
    assert before.sum() == pytest.approx(said["sum_of_weights"][0], rel=0.05)


def test_the_asset_has_a_picture_of_margins_and_weights_and_no_respondent(weighted: Place) -> None:
    root, staging = weighted.paths.data_root(), weighted.paths.staging()
    facts = stage_survey(root, staging, Review({DIALLED: "0" * 64}), DIALLED)["weights"]
    assert (
        facts["chain"] == "base (constant) > multiplicity > nonresponse (propensity) > calibrate (logit) > normalise (population)"
    )
    shown = picture(facts["svg"], "weights").value
    assert shown.startswith("![weights](data:image/svg+xml;base64,") and len(shown) < 40_000
    assert "sex, per cent" in facts["svg"] and "SENTINEL" not in facts["svg"]


def test_rga_check_tells_what_the_steps_report(weighted: Place) -> None:
    result = weighted.rga("check")
    assert result.exit_code == 0, result.output
    assert "weighting: step 2 (multiplicity):" in result.output and "without phones got the mean factor" in result.output
    assert "wpp2019-2020: no survey is weighted to it" in result.output


def weighed(repository: Path, folder: Path, chain: str) -> Weights:
    return weighed_at(fresh(repository, folder, []), chain)


def weighed_at(place: Place, chain: str) -> Weights:
    place.survey_yaml(LISTED).parent.mkdir()
    place.survey_yaml(LISTED).write_text(SURVEY.replace("CHAIN", chain).replace("MODE", "cati"))
    sample(1).to_csv(place.survey_yaml(LISTED).parent / "sample.csv", index=False)
    root = place.paths.data_root()
    return weigh(root, LISTED, prepare(root, LISTED))


def test_base_weights_trimmed_before_nonresponse_are_those_of_all_who_were_approached(repository: Path, tmp_path: Path) -> None:
    chain = "  - {step: multiplicity, divide: adults}\n  - {step: trim, max_ratio: 1.5}\n  - {step: nonresponse, cells: [operator]}"
    found = weighed(repository, tmp_path, chain)
    nonresponse = found.steps[-1].nonresponse
    assert nonresponse is not None and nonresponse.classes["n_sample"].sum() == 1400 and nonresponse.response_rate < 0.7
    assert found.response is not None and found.response.weighted == pytest.approx(nonresponse.response_rate, abs=0.01)


def test_an_unknown_sex_is_held_within_age_where_margins_share_age(repository: Path, tmp_path: Path) -> None:
    found = weighed(repository, tmp_path, "  - {step: calibrate, margins: [sex*age_group, age_group]}")
    at = found.calibrated
    assert at is not None and found.inputs is not None and list(found.inputs.targets) == ["age_group*sex", "age_group"]
    calibration = found.steps[at].calibration
    assert calibration is not None and calibration.error < 1e-12
    margins = calibration.margins.set_index(["margin", "category"])
    assert margins.loc[("age_group*sex", "Y35T44*_U"), "n"] > 0 and calibration.factor.max() < 5
    by_age = margins.loc["age_group*sex"].groupby(lambda category: category.split("*")[0])["benchmark"].sum()
    assert by_age.to_dict() == pytest.approx(margins.loc["age_group", "benchmark"].to_dict())


@pytest.mark.parametrize(
    ("margins", "others"),
    [
        ("sex*age_group", ["sex only", "age_group only", "more margins: sex*education"]),
        ("sex", ["more margins: sex*age_group, sex*education"]),
        ("sex*age_group, education", ["sex*age_group only", "education only", "more margins: sex*education"]),
    ],
)
def test_every_calibrated_chain_is_set_against_fewer_and_more_margins(
    repository: Path, tmp_path: Path, margins: str, others: list[str]
) -> None:
    first = "  - {step: calibrate, margins: [education]}\n"  # no variant starts from it
    found = weighed(repository, tmp_path, first + f"  - {{step: calibrate, margins: [{margins}]}}")
    root = DataRoot(tmp_path / "raw_data")
    _, gaps = effect_tables(root, LISTED, prepare(root, LISTED), found)
    gap = gaps[gaps["indicator"] == "HLT_MENTAL"].set_index("variant")["gap"]
    assert list(gap.index) == ["unweighted", "base", *others, "published"]
    same = {"unweighted", "base", "sex only"} & set(gap.index)  # weights that differ by sex only leave shares within sex
    assert gap[list(same)].round(9).nunique() == 1 and gap.round(9).nunique() == len(gap) - len(same) + 1


def test_margins_that_cannot_be_met_together_have_no_variant(repository: Path, tmp_path: Path) -> None:
    place = fresh(repository, tmp_path, [])
    benchmark = place.raw_data / "benchmarks" / "wpp2019-2021"
    (benchmark / "place.csv").write_text("iso3,place,share\nBGD,north,60\nBGD,south,30\nBGD,islands,10\n")
    with (benchmark / "source.yaml").open("a") as file:
        file.write("  - {margin: place, file: place.csv, measure: share, producer: A, licence: A, citation: A}\n")
    found = weighed_at(place, "  - {step: calibrate, margins: [sex*age_group, sex*education]}")
    _, gaps = effect_tables(place.paths.data_root(), LISTED, prepare(place.paths.data_root(), LISTED), found)
    assert list(gaps["variant"].unique()) == ["unweighted", "base", "sex*age_group only", "sex*education only", "published"]


def test_a_benchmark_in_thousands_is_told_where_it_counts_fewer_people_than_answered(repository: Path, tmp_path: Path) -> None:
    place = fresh(repository, tmp_path, [])
    file = place.raw_data / "benchmarks" / "wpp2019-2021" / "sex_age_group.csv"
    table = pd.read_csv(file)
    table.assign(population=table["population"] / 1e6).to_csv(file, index=False)
    with pytest.raises(InputError, match=r"counts \d+ people, fewer than the \d+ respondents") as caught:
        weighed_at(place, "  - {step: calibrate, margins: [sex*age_group]}")
    assert "give persons, not thousands" in str(caught.value)


def test_negative_weights_of_linear_calibration_are_refused_by_check_and_build_alike_and_bounds_mend_it(
    repository: Path, tmp_path: Path
) -> None:
    place = fresh(repository, tmp_path, [WEB])
    benchmark = place.raw_data / "benchmarks" / "wpp2019-2020" / "sex_education.csv"
    shares = pd.read_csv(benchmark)
    shares.loc[(shares["iso3"] == "WSM") & (shares["sex"] == "F"), "share"] = [90.2, 9.0, 0.8]
    shares.to_csv(benchmark, index=False)
    place.edit(WEB, "method: logit", "method: linear")
    place.edit(WEB, r"^  bounds: .*\n(  trim: .*\n)?", "")
    checked, outcome = place.rga("check"), place.build()
    assert checked.exit_code == 2 and statuses(outcome) == {WEB: "failed"}
    for text in (" ".join(checked.output.split()), " ".join(outcome.surveys[0].message.split())):
        assert "weighting step 1 (calibrate)" in text and "`method: linear` makes the weights of 92 of" in text
        assert "add `bounds`" in text and "correct the weight" not in text
    place.edit(WEB, "method: linear", "method: linear\n  bounds: [0, 20]")
    root = place.paths.data_root()
    step = weigh(root, WEB, prepare(root, WEB)).steps[-1]
    assert step.weights.min() >= 0 and step.calibration is not None and step.calibration.bounds_hit["low"] > 0
