"""Which steps weigh each kind of sample, and why: the `response`, `auxiliary` and `weighting` of survey.yaml.

Belongs here: the chain that fits how people were drawn. Not here: the columns it uses (``auxiliary``), carrying it out.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from rga.simulate.auxiliary import COMPLETE, DISPOSITION, RECORDED, auxiliary
from rga.simulate.coding import mapped
from rga.simulate.programme import Survey

MARGINS = ["sex*age_group", "sex*education"]

WHY_OPERATOR = (
    "operators sent invitations to different shares of their lines, and their customers differ in age, schooling and place"
)
WHY_LINES = "a person with two lines could be invited on either of them"
WHY_RAKING = {
    "operators": "nobody knows who saw the message, so response cannot be modelled: the margins stand for having a phone, seeing "
    "the message and answering, as far as these follow from sex, age and education",
    "areas": "people without a listed number are on no list: the margins stand for them",
    "panel": "the first round reached more men, young and educated people; the margins undo that, and what the propensities left",
    "dialling": "of numbers that did not answer nothing is known but that they rang: the margins stand for these people, and for "
    "those without a telephone",
}
WHY_LINEAR = (
    "margins as for other random dialling; few adults of 65 and over have a telephone here, and the largest linear factor among "
    "them is 6.2, where raking has 7.9; bounds guard against negative weights, and nobody is at one"
)
WHY_LOGIT = (
    "everybody saw the same link, so the base weight is constant; those who follow it are far from the population: bounds and trim "
    "guard against a few older respondents carrying an estimate, and nobody here is at either"
)
WHY_DIALLING = (
    "chances of being dialled grow with the numbers a person answers and are shared with the other adults who answer them"
)
WHY_CLASSES = (
    "the list knows place and whose number it is of everybody drawn; within these classes respondents stand for the others"
)
WHY_AGAIN = "all respondents of the first round were called again: their answers then tell who was lost, hardship included"


def chain(survey: Survey, invitations: pd.DataFrame | None) -> dict[str, Any]:
    """The keys of survey.yaml that say how to weigh; ``invitations`` are of a sample, or a panel, drawn by operators."""
    keys: dict[str, Any] = {}
    columns = auxiliary(survey)
    if survey.sampling in ("areas", "panel"):
        keys["response"] = {"column": DISPOSITION, "complete": [COMPLETE]}
    if columns := [question for question in columns if question.column != DISPOSITION]:
        keys["auxiliary"] = mapped(survey, columns)
        if "r1_sex" in keys["auxiliary"]:  # too few of another sex to estimate a propensity of theirs
            keys["auxiliary"]["r1_sex"]["codes"] = {1: "F", 2: "M_O", 3: "M_O"}
    return keys | {"weighting": [*_before_margins(survey, invitations), _calibration(survey)]}


def _before_margins(survey: Survey, invitations: pd.DataFrame | None) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    if invitations is not None:
        counts = {str(name): {str(operator): int(n) for operator, n in invitations[name].items()} for name in invitations}
        steps.append({"step": "selection", "by": "operator", **counts, "why": WHY_OPERATOR})
        steps.append({"step": "multiplicity", "divide": "phones", "why": WHY_LINES})
    match survey.sampling:
        case "dialling":
            steps.append({"step": "multiplicity", "divide": "phones", "multiply": "adults", "cap": 5, "why": WHY_DIALLING})
        case "areas":
            cells = ["stratum", "listed"]
            steps.append({"step": "nonresponse", "method": "classes", "cells": cells, "why": WHY_CLASSES})
        case "panel":
            predictors = list(RECORDED)
            steps.append({"step": "nonresponse", "method": "propensity", "predictors": predictors, "classes": 5, "why": WHY_AGAIN})
    return steps


def _calibration(survey: Survey) -> dict[str, Any]:
    step: dict[str, Any] = {"step": "calibrate"}
    if survey.sampling == "web":
        return step | {"method": "logit", "margins": MARGINS, "bounds": [0.2, 20], "trim": 20, "why": WHY_LOGIT}
    if survey.linear:
        return step | {"method": "linear", "margins": MARGINS, "bounds": [0.1, 40], "why": WHY_LINEAR}
    return step | {"method": "raking", "margins": MARGINS, "why": WHY_RAKING[survey.sampling]}
