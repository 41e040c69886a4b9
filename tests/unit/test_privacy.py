"""Research files: nobody stands out, what is lost is counted, and the risk that is left is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from assets.research_files import _of_nothing_hidden
from rga.errors import InputError
from rga.microdata.catalogue import Catalogue, Indicator, Variable
from rga.privacy.accuracy import refuse_inaccurate
from rga.privacy.anonymise import Column, anonymise
from rga.privacy.anonymity import class_sizes, suppress
from rga.privacy.headlines import Answers, answers, compared
from rga.privacy.replicate_weights import replicate_weights
from rga.privacy.risk import diversity, individual_risk, risk
from rga.privacy.rules import Numeric, PrivacyRules, Recode
from rga.privacy.shown_weights import dummies, largest_difference, shown_margins, shown_weights
from rga.privacy.soft_calibration import calibrated_softly
from rga.privacy.variance_groups import variance_groups

CATALOGUE = Catalogue(
    variables={
        "sex": Variable(label="Sex", module="m", codes={"F": "Women", "M": "Men"}),
        "age": Variable(label="Age", module="m", minimum=0, maximum=120),
        "age_group": Variable(
            label="Age group", module="m", codes={"young": "Young", "old": "Old"},
            derived="CASE WHEN age < 40 THEN 'young' WHEN age >= 40 THEN 'old' END",
        ),
        "school": Variable(label="School", module="m", codes={"none": "None", "some": "Some", "much": "Much"}),
        "n_children": Variable(label="Children", module="m", minimum=0, maximum=30),
        "opinion": Variable(label="Opinion", module="m", codes={"yes": "Yes", "no": "No"}),
        "income": Variable(label="Income", module="m", minimum=0),
    },
    indicators={},
    breakdowns=[("sex",)],
)  # fmt: skip
RULES = PrivacyRules(
    k=3, quasi_identifiers=["sex", "age_group", "school"], suppress_at_most=10, numeric={"n_children": Numeric(top=4)},
    recodes=[Recode(variable="school", codes={"any": ["some", "much"]}, labels={"any": "Any"})], sensitive=["opinion"],
)  # fmt: skip


def people(seed: int = 1, size: int = 200, rare: float = 0.02) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, size).astype(float)
    frame = pd.DataFrame(
        {
            "respondent_id": [f"r{i}" for i in range(size)],
            "sex": rng.choice(["F", "M"], size),
            "age": age,
            "age_group": np.where(age < 40, "young", "old"),
            "school": rng.choice(["none", "some", "much"], size, p=[rare, 0.6 - rare, 0.4]),
            "n_children": rng.poisson(2, size).astype(float),
            "opinion": rng.choice(["yes", "no"], size),
            "income": rng.lognormal(8, 1, size),
        }
    )
    return frame.astype(dict.fromkeys(["respondent_id", "sex", "age_group", "school", "opinion"], "string"))


@pytest.mark.parametrize("k", [2, 3, 5, 10])
@pytest.mark.parametrize("seed", range(5))
def test_after_suppression_every_class_has_k_members_and_nothing_but_answers_is_lost(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    shares = [0.6, 0.2, 0.1, 0.05, 0.03, 0.02]
    frame = pd.DataFrame({name: rng.choice(list("abcdef"), 150, p=shares) for name in ("one", "two", "three")}, dtype="object")
    frame.loc[rng.random(150) < 0.1, "two"] = None
    assert class_sizes(frame).min() < k
    kept = suppress(frame, k)
    assert class_sizes(kept).min() >= k
    assert (kept.isna() | (kept == frame)).all(axis=None)


def test_what_identifies_is_coarsened_before_many_answers_are_suppressed() -> None:
    done = anonymise(people(rare=0.1, size=60), CATALOGUE, RULES, 3, "s")
    assert class_sizes(done.known).min() >= 3 and done.affected <= 6
    generous = RULES.model_copy(update={"suppress_at_most": 50.0})
    uncoarsened = anonymise(people(rare=0.1, size=60), CATALOGUE, generous, 3, "s")
    assert uncoarsened.recoded == [] and uncoarsened.affected >= done.affected
    lost = {name: int((uncoarsened.before[name].notna() & uncoarsened.known[name].isna()).sum()) for name in uncoarsened.quasi}
    assert {name: n for name, n in lost.items() if n} == uncoarsened.suppressed


def test_ids_exact_ages_and_numbers_without_a_rule_stay_out_and_counts_are_top_coded() -> None:
    done = anonymise(people(), CATALOGUE, RULES, 3, "s")
    assert {"respondent_id", "age", "income"} <= set(done.dropped) and not {"respondent_id", "age", "income"} & set(done.columns)
    assert done.columns["n_children"].values.max() == 4 and "4 or more" in done.columns["n_children"].label


def test_a_survey_that_cannot_be_made_safe_is_refused_with_its_cells_and_what_to_coarsen() -> None:
    strict = RULES.model_copy(update={"suppress_at_most": 0.0, "recodes": []})
    with pytest.raises(InputError) as caught:
        anonymise(people(rare=0.02, size=60), CATALOGUE, strict, 3, "2020-r1_AAA")
    assert "2020-r1_AAA" in str(caught.value) and "recodes" in str(caught.value) and "school" in str(caught.value)
    with pytest.raises(InputError, match="2 respondents cannot be 3 alike"):
        anonymise(people(size=2), CATALOGUE, RULES, 3, "2020-r1_AAA")


def test_individual_risk_is_the_mean_of_one_over_the_population_of_a_class() -> None:
    """Against the negative binomial itself, summed far out; and finite where classes are large."""
    rng = np.random.default_rng(0)
    for f, p in ((1, 0.1), (2, 0.3), (5, 0.05), (40, 0.2)):
        populations = f + rng.negative_binomial(f, p, 400_000)
        assert individual_risk(np.array([float(f)]), np.array([p]))[0] == pytest.approx((1 / populations).mean(), rel=0.02)
    large = individual_risk(np.array([500.0, 5_000.0]), np.array([1e-4, 1e-5]))
    assert np.isfinite(large).all() and (large <= np.array([1 / 500, 1 / 5_000])).all()


def test_risk_counts_uniques_and_small_classes_and_knows_when_weights_count_no_people() -> None:
    known = pd.DataFrame({"a": list("xxxyz"), "b": list("11122")})
    found = risk(known, np.array([100.0, 200, 300, 400, 500]), 3)
    assert (found.k, found.classes, found.uniques, found.below) == (1, 3, 2, 2)
    assert found.population_uniques == pytest.approx(1 / 400 + 1 / 500)
    assert risk(known, np.full(5, 1.0), 3).population_uniques is None


def test_diversity_tells_of_classes_that_answered_alike() -> None:
    known = pd.DataFrame({"a": list("xxxyyy")})
    fewest, alike, respondents = diversity(known, pd.Series(["yes", "no", None, "no", "no", None]))
    assert (fewest, alike, respondents) == (1, 1, 2)


def released(size: int = 900) -> tuple[dict[str, Column], np.ndarray]:
    """Columns as released, and weights that follow from schooling finer than the column shows, and suppressed for some."""
    rng = np.random.default_rng(3)
    sex, true = rng.choice(["F", "M"], size), rng.choice(["none", "some", "much"], size)
    school = pd.Series(np.where(true == "none", "none", "any"), dtype="string").mask(rng.random(size) < 0.02)
    opinion = pd.Series(np.where(rng.random(size) < (true == "much") * 0.4 + 0.3, "yes", "no"), dtype="string")
    columns = {
        "sex": Column("Sex", pd.Series(sex, dtype="string"), {"F": "Women", "M": "Men"}),
        "school": Column("School", school, {"none": "None", "any": "Any"}),
        "opinion": Column("Opinion", opinion, {"yes": "Yes", "no": "No"}),
    }
    return columns, pd.Series(true).map({"none": 3.0, "some": 1.0, "much": 0.4}).to_numpy() * np.where(sex == "F", 1.5, 1.0)


OPINION = Catalogue(
    variables={name: CATALOGUE.variables[name] for name in ("sex", "opinion")},
    indicators={"YES": Indicator(title="Says yes", module="m", numerator="opinion = 'yes'")},
    breakdowns=[(), ("sex",)],
)


def opinions(columns: dict[str, Column], weight: np.ndarray) -> tuple[Answers, pd.DataFrame]:
    """Who says yes, by the columns; and the shares and the gap that ``weight`` gives, with plausible standard errors."""
    given = answers(columns, pd.DataFrame({name: column.values for name, column in columns.items()}), OPINION)
    share = {of: float(given.shares(of, weight)[0]) for of in ("_T", "F", "M")}
    rows = [("YES", of, share[of], se, 0.0) for of, se in (("_T", 0.02), ("F", 0.03), ("M", 0.035))]
    rows.append(("YES", "gap", share["F"] - share["M"], 0.045, 0.0))
    return given, pd.DataFrame(rows, columns=["indicator", "of", "value", "se", "step"])


def made(columns: dict[str, Column], weight: np.ndarray) -> np.ndarray:
    return shown_weights(weight, columns, sums_of(columns), 5, *opinions(columns, weight))


def sums_of(columns: dict[str, Column]) -> dict[str, np.ndarray | None]:
    return dict.fromkeys(["sex*school", *columns])


def test_respondents_with_the_same_columns_have_the_same_weight_and_shares_stay_as_published() -> None:
    columns, published = released()
    shown = made(columns, published)
    look = pd.DataFrame({name: column.values for name, column in columns.items()}).groupby(list(columns), dropna=False).ngroup()
    assert pd.Series(published).groupby(look).nunique().max() > 1
    assert (pd.Series(shown).groupby(look).max() - pd.Series(shown).groupby(look).min()).max() < 1e-9
    assert shown.sum() == pytest.approx(published.sum()) and largest_difference(columns, published, published).points == 0
    given, figures = opinions(columns, published)
    equal, found = (compared(figures, given, w, np.column_stack([w, w])) for w in (np.ones(len(published)), shown))
    assert equal["error"].abs().max() > 1 and found["error"].abs().max() < 0.05
    assert largest_difference(columns, published, np.ones(len(published))).points > 1


def test_weights_that_add_up_to_the_same_rounded_sums_give_the_same_file() -> None:
    """Nothing of a published weight gets into the file but what the published shares and sums of categories say: other weights with
    the same sums, but one, make the same file; and so do weights of which one is a little different."""
    columns, published = released()
    parts = [dummies(shown_margins(columns, [name], 5))[0] for name in ("sex*school", *columns)]
    free = published < published.max()
    fixed, noise = np.hstack(parts)[free], np.random.default_rng(5).normal(size=int(free.sum()))
    noise -= fixed @ np.linalg.lstsq(fixed, noise, rcond=None)[0]
    other = published.copy()
    other[free] += 0.3 * noise / np.abs(noise).max()
    two = opinions(columns, published)
    first, second = (shown_weights(w, columns, sums_of(columns), 5, *two) for w in (published, other))
    assert np.abs(other - published).max() > 0.2 and np.allclose(first, second, rtol=1e-6)
    sums = {round(float(first[columns["school"].values.isna()].sum()), 3)}
    for place in np.flatnonzero(columns["school"].values.isna()):
        less = published.copy()
        less[place] *= 0.9
        again = shown_weights(less * published.sum() / less.sum(), columns, sums_of(columns), 5, *two)
        sums.add(round(float(again[columns["school"].values.isna()].sum()), 3))
    assert len(sums) <= 2


def test_where_sums_of_a_crossing_are_published_the_file_adds_up_to_what_a_reader_could_work_out() -> None:
    """The difference from a published sum would be the weight of who lost an answer: it is the published mean."""
    columns, published = released()
    mean = pd.Series(published).groupby(columns["sex"].values.to_numpy()).transform("mean").to_numpy()
    shown = shown_weights(published, columns, {"sex": mean}, 5, *opinions(columns, published))
    women = (columns["sex"].values == "F").to_numpy(dtype=bool)
    assert shown[women].sum() == pytest.approx(published[women].sum(), rel=1e-3)


def test_a_figure_that_is_rounded_or_contradicts_others_does_not_make_weights_extreme() -> None:
    columns, published = released()
    given, figures = opinions(columns, published)
    wrong = figures.assign(value=[figures["value"][0] + 0.02, *figures["value"][1:]], step=[0.02, 0.0, 0.0, 0.0])
    shown = shown_weights(published, columns, sums_of(columns), 5, given, wrong)
    found = compared(wrong, given, shown, np.column_stack([shown, shown])).set_index("of")["error"].abs()
    assert shown.max() / shown.min() < 60 and found["F"] < 0.2 and found["M"] < 0.2


def test_calibration_with_tolerances_minimises_what_it_says() -> None:
    rng = np.random.default_rng(2)
    base, columns = rng.uniform(0.5, 2, 60), rng.normal(size=(60, 4))
    targets, tolerance = columns.T @ base + [1.0, -2.0, 0.5, 0.0], np.array([0.1, 1.0, 3.0, 1e-4])

    def cost(w: np.ndarray) -> float:
        return float((w * np.log(w / base) - w + base).sum() + (((columns.T @ w - targets) / tolerance) ** 2).sum() / 2)

    best = calibrated_softly(base, columns, targets, tolerance)
    for _ in range(50):
        assert cost(best * np.exp(rng.normal(0, 1e-3, 60))) > cost(best)
        assert cost(best * np.exp(1e-3 * columns @ rng.normal(size=4))) > cost(best)
    twice = calibrated_softly(base, columns[:, [0, 0]], targets[[0, 0]] + [0, 50.0], np.array([0.1, 0.1]))
    assert np.isfinite(twice).all() and twice.min() > 0


def test_an_indicator_of_a_coarsened_or_top_coded_column_is_not_computed_from_the_file() -> None:
    frame = people()
    indicators = {
        "OLD": Indicator(title="Old", module="m", numerator="age_group = 'old'"),
        "SCHOOLED": Indicator(title="Some schooling", module="m", numerator="school = 'some'"),
        "MANY": Indicator(title="Many children", module="m", numerator="n_children >= 4"),
        "SEVEN": Indicator(title="Seven children", module="m", numerator="n_children = 4"),
        "RICH": Indicator(title="Rich", module="m", universe="opinion = 'yes'", numerator="income > 3000"),
    }
    catalogue = CATALOGUE.model_copy(update={"indicators": indicators})
    done = anonymise(people(rare=0.1, size=60), catalogue, RULES, 3, "s")
    assert done.recoded
    given = answers(done.columns, people(rare=0.1, size=60), catalogue)
    assert given.indicators == ["OLD", "MANY"] and given.left_out == ["SCHOOLED", "SEVEN", "RICH"]
    done = anonymise(frame, catalogue, RULES, 3, "s")
    given = answers(done.columns, frame, catalogue)
    kept = done.columns["age_group"].values.notna().to_numpy()
    assert given.known[:, 0].tolist() == kept.astype(float).tolist()
    assert given.yes[kept, 0].tolist() == (frame["age_group"][kept] == "old").astype(float).tolist()


def test_a_file_too_far_from_its_published_figures_is_refused_with_indicators_and_amounts() -> None:
    columns, published = released()
    given, figures = opinions(columns, published)
    equal = np.ones(len(published))
    spread = equal[:, None] * np.random.default_rng(1).gamma(1, 1, (len(equal), 100))
    with pytest.raises(InputError) as caught:
        refuse_inaccurate(compared(figures, given, equal, spread), {"YES": ["opinion"]}, "2020-r1_AAA")
    said = str(caught.value)
    assert "2020-r1_AAA" in said and "YES" in said and "made of opinion" in said and "drop" in said
    assert "standard errors away" in said and "published (se 3.00)" in said
    weight = made(columns, published)
    replicates = replicate_weights(weight, None, shown_margins(columns, ["sex*school"], 5), 60, 1, given, figures)
    found = compared(figures, given, weight, replicates)
    refuse_inaccurate(found, {"YES": ["opinion"]}, "s")
    for bad in (found.assign(ratio=0.7), found.assign(ratio=1.3), found.assign(error=-0.6), found.assign(ratio=np.nan)):
        with pytest.raises(InputError):
            refuse_inaccurate(bad, {"YES": ["opinion"]}, "s")


@pytest.mark.parametrize("groups", [None, 12])
def test_replicates_vary_as_the_published_standard_errors_say(groups: int | None) -> None:
    columns, published = released()
    given, figures = opinions(columns, published)
    weight = made(columns, published)
    group = None if groups is None else np.arange(len(weight)) % groups
    replicates = replicate_weights(weight, group, shown_margins(columns, ["sex*school"], 5), 100, 1, given, figures)
    assert (replicates > 0).all()
    found = compared(figures, given, weight, replicates).set_index("of")
    assert found.loc[["F", "M"], "ratio"].sub(1).abs().max() < 0.03 and found["ratio"].sub(1).abs().max() < 0.2


def test_where_no_figure_is_printed_weights_and_replicates_are_made_all_the_same() -> None:
    columns, published = released()
    given, figures = opinions(columns, published)
    weight = shown_weights(published, columns, sums_of(columns), 5, given, figures.iloc[:0])
    replicates = replicate_weights(weight, None, shown_margins(columns, [], 5), 20, 1, given, figures.iloc[:0])
    assert replicates.shape == (len(weight), 20) and np.isfinite(replicates).all()
    assert np.corrcoef(replicates.mean(axis=1), weight)[0, 1] > 0.5


def test_no_total_of_few_weights_can_be_read_off_the_margins() -> None:
    columns, _ = released()
    sizes = shown_margins(columns, ["sex*school", "school", "secret*school", "secret"], 5).apply(lambda c: c.value_counts().min())
    assert list(sizes.index) == ["sexxschool", "school"] and sizes.min() >= 30
    assert shown_margins(columns, ["sex*school"], 1000).iloc[:, 0].nunique() == 1


def test_replicates_show_the_variance_group_and_the_margins_as_released_only() -> None:
    columns, published = released()
    margins = shown_margins(columns, ["sex*school"], 5)
    given, figures = opinions(columns, published)
    weight = made(columns, published)
    group = np.arange(len(weight)) % 15
    replicates = replicate_weights(weight, group, margins, 20, 1, given, figures)
    alike = (
        pd.Series(group.astype(str))
        + margins.iloc[:, 0]
        + columns["sex"].values.astype(str)
        + columns["opinion"].values.astype(str)
    )
    spread = pd.DataFrame(replicates / weight[:, None]).groupby(alike)
    assert float((spread.max() - spread.min()).max(axis=None)) < 1e-9
    assert np.allclose(pd.DataFrame(replicates).groupby(margins.iloc[:, 0]).sum().std(axis=1), 0, atol=1e-3)


def design(strata: int, psus: int, people_each: int = 5) -> pd.DataFrame:
    """Strata of town and country in turn, so that a stratum, and a PSU, tells the residence."""
    stratum = np.repeat(np.arange(strata), psus * people_each)
    frame = pd.DataFrame({"stratum": stratum, "psu": np.repeat(np.arange(strata * psus), people_each)})
    return frame.assign(residence=np.where(stratum % 2 == 0, "town", "country"))


def test_variance_groups_keep_psus_whole_and_mix_the_strata_so_that_no_group_tells_a_residence() -> None:
    data = design(8, 15)
    group = variance_groups(data, data[["residence"]], 1, "s")
    assert group is not None and len(np.unique(group)) == 15
    assert pd.Series(group).groupby(data["psu"]).nunique().max() == 1
    assert (pd.crosstab(group, data["stratum"]) == 5).all(axis=None)
    for strata, psus in ((40, 2), (6, 3), (1, 200)):
        data = design(strata, psus)
        group = variance_groups(data, data[["residence"]], 1, "s")
        assert pd.Series(group).groupby(data["psu"]).nunique().max() == 1
        assert data["residence"].groupby(group).nunique().min() == data["residence"].nunique()


def test_a_design_without_strata_or_psus_needs_no_groups_and_one_that_cannot_be_hidden_is_refused() -> None:
    data = design(8, 15)
    assert variance_groups(data.assign(stratum=None, psu=None), data[["residence"]], 1, "s") is None
    only = variance_groups(data.assign(psu=None), data[["residence"]], 1, "s")
    assert only is not None and len(np.unique(only)) == 50
    with pytest.raises(InputError, match="too few, or too much alike"):
        variance_groups(design(2, 2), design(2, 2)[["residence"]], 1, "s")


def test_sums_of_a_variable_that_would_tell_a_hidden_total_are_not_used() -> None:
    reads = {"YES": ["opinion"], "BOTH": ["opinion", "school"], "NEVER": ["school", "income"]}
    figures = pd.DataFrame({"indicator": ["YES", "NEVER", "NEVER"], "of": ["_T", "F", "_T"]})
    assert _of_nothing_hidden(["sex", "opinion", "school", "income"], reads, figures) == ["sex", "income"]
    women_only = figures[figures["of"] == "F"]
    assert _of_nothing_hidden(["sex", "opinion", "school", "income"], reads, women_only) == ["sex"]
