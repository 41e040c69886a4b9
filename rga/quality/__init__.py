"""Data quality: what of a survey's answers deserves a look, or must be mended before it can be used.

Belongs here: checks, each a small function from a survey to its findings, and their thresholds. Not here: reading files
(``rga.microdata``), words and layout for people, anything about Dagster.
"""

from rga.quality.finding import CHECKS, Finding, finding_rows, of_problems
from rga.quality.subject import Subject
from rga.quality.thresholds import Thresholds, load_thresholds

__all__ = ["CHECKS", "Finding", "Subject", "Thresholds", "finding_rows", "load_thresholds", "of_problems"]
