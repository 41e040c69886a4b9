"""A data root on disk: where its catalogue, benchmarks, rounds and surveys are, and what has changed.

Belongs here: paths, keys and fingerprints. Not here: the content of any file but the specifications.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from rga.errors import InputError, Problem
from rga.microdata.catalogue import Catalogue, load_catalogue
from rga.microdata.publication_rules import PublicationRules, load_publication_rules
from rga.microdata.readers import sha256
from rga.microdata.specification import RoundSpecification, SurveySpecification
from rga.microdata.yaml_file import load_yaml

SURVEY_ID = re.compile(r"^(?P<round>[0-9]{4}-r[0-9]+)_(?P<country>[A-Z]{3})$")


class DataRoot:
    """A folder of the shape that docs/add-a-survey.md describes."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not (self.path / "catalogue").is_dir():
            raise InputError(Problem("is not a data root: it has no catalogue/", "name another with --raw-data", file=str(path)))

    def survey_ids(self) -> list[str]:
        """Keys such as `2020-r1_BGD` of all folders that hold a survey.yaml, sorted."""
        return sorted(key for key in self._keys() if SURVEY_ID.match(key))

    def misnamed(self) -> list[Problem]:
        """Folders with a survey.yaml whose name is no survey key, so that nobody takes them for published."""
        return [
            Problem(
                "is not read, because of its folder's name",
                "name rounds like 2021-r2 and countries by their three-letter ISO code in capitals, such as BGD",
                file=self.shown(path),
            )
            for key, path in sorted(self._keys().items())
            if not SURVEY_ID.match(key)
        ]

    def _keys(self) -> dict[str, Path]:
        paths = self.path.glob("*/*/survey.yaml")
        return {f"{path.parent.parent.name}_{path.parent.name}": path for path in paths}

    def folder(self, survey_id: str) -> Path:
        round_id, country = split_survey_id(survey_id)
        return self.path / round_id / country

    @cached_property
    def _catalogue(self) -> Catalogue:
        for path in sorted((self.path / "catalogue").glob("*.yaml")):
            self._inside(path)
        return load_catalogue(self.path / "catalogue")

    def catalogue(self) -> Catalogue:
        """The catalogue, read once. Raises InputError."""
        return self._catalogue

    @cached_property
    def publication_rules(self) -> PublicationRules:
        """What may be printed, read once. Raises InputError."""
        self._inside(self.path / "catalogue" / "publication_rules.yaml")
        return load_publication_rules(self.path / "catalogue")

    def specification(self, survey_id: str) -> SurveySpecification:
        """The survey's specification. Raises InputError."""
        path = self._inside(self.folder(survey_id) / "survey.yaml")
        return load_yaml(path, SurveySpecification, self.shown(path))

    def round(self, round_id: str) -> RoundSpecification:
        """The round's specification. Raises InputError."""
        path = self._inside(self.path / round_id / "round.yaml")
        return load_yaml(path, RoundSpecification, self.shown(path))

    def _inside(self, path: Path) -> Path:
        """``path`` of a specification, which errors quote: unlike data, it may not be a link that leads out. Raises InputError."""
        try:
            inside = path.resolve().is_relative_to(self.path.resolve())
        except (OSError, RuntimeError):  # links in a circle
            inside = False
        if not inside:
            raise InputError(Problem("is a link that leaves the data root", "put the file itself there", self.shown(path)))
        return path

    def files(self, survey_id: str) -> dict[str, Path]:
        """Paths of the survey's microdata files by name. Raises InputError for one outside the root, or absent."""
        return {name: self._placed(survey_id, file.path) for name, file in self.specification(survey_id).files.items()}

    def forms(self, survey_id: str) -> dict[str, Path]:
        """Paths of the XLSForms of those of its files that have one. Raises InputError as ``files``."""
        files = self.specification(survey_id).files.items()
        return {name: self._placed(survey_id, file.form) for name, file in files if file.form}

    def _placed(self, survey_id: str, given: str) -> Path:
        path = self.folder(survey_id) / given
        shown = self.shown(self.folder(survey_id) / "survey.yaml")
        # The path as written must stay inside; a link that the user placed inside may lead out.
        written = Path(*_normal(path.absolute().parts))
        if Path(given).is_absolute() or not written.is_relative_to(self.path.absolute()):
            raise InputError(Problem(f"`{given}` leaves the data root", "put the file in it", shown))
        if not path.is_file():
            raise InputError(Problem("there is no such file", "put the file there, or correct `files:`", self.shown(written)))
        if not path.resolve().is_relative_to(self.path.resolve()) and not path.is_symlink():
            raise InputError(Problem(f"`{given}` leaves the data root through a linked folder", "put the file in it", shown))
        return path

    def inputs(self, survey_id: str) -> dict[str, str]:
        """A hash of everything the survey's respondents and estimates are made from, by kind: its data, its specification, its
        benchmark, the catalogue, and the code. It never raises for a bad survey."""
        folder = self.folder(survey_id)
        paths: dict[str, list[Path]] = {
            "data": [],
            "specification": [folder / "survey.yaml", folder.parent / "round.yaml"],
            "benchmark": [],
            # privacy.yaml is for research files: no estimate depends on it
            "catalogue": sorted(path for path in (self.path / "catalogue").glob("*.yaml") if path.name != "privacy.yaml"),
        }
        problem = {}
        try:
            specification = self.specification(survey_id)
            paths["data"] += [*self.files(survey_id).values(), *self.forms(survey_id).values()]
            if specification.population.benchmark:
                paths["benchmark"] += sorted((self.path / "benchmarks" / specification.population.benchmark).glob("*"))
        except InputError as error:
            problem = {"problem": str(error)}
        contents = {
            kind: {self.shown(path): sha256(path) if path.is_file() else "absent" for path in some} for kind, some in paths.items()
        }
        contents["data"] |= problem
        return {kind: one_hash(of) for kind, of in contents.items()} | {"code": code_fingerprint()}

    def shown(self, path: Path) -> str:
        """How messages name a file: from the data root on."""
        return str(path.relative_to(self.path)) if path.is_relative_to(self.path) else str(path)


def split_survey_id(survey_id: str) -> tuple[str, str]:
    """`2020-r1_BGD` to round and country. Raises ValueError."""
    match = SURVEY_ID.match(survey_id)
    if not match:
        raise ValueError(f"{survey_id!r} is not a survey key such as 2020-r1_BGD")
    return match["round"], match["country"]


def one_hash(of: Mapping[str, str]) -> str:
    """One hash of many, by name."""
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()


def code_fingerprint() -> str:
    """Hash of the library code that decides a survey's numbers: a changed estimator recomputes everything."""
    library = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for part in ("microdata", "survey", "quality", "onboarding"):
        for path in sorted((library / part).glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _normal(parts: tuple[str, ...]) -> list[str]:
    normal: list[str] = []
    for part in parts:
        if part == "..":
            normal.pop()
        else:
            normal.append(part)
    return normal
