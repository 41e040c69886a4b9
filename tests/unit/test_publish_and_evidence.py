"""Generated documents are current; published figures that are no survey keep their source."""

from __future__ import annotations

from pathlib import Path

import pytest

from rga.errors import InputError
from rga.evidence.search_interest import read_search_interest
from rga.microdata.catalogue import load_catalogue
from rga.publish.dictionary import dictionary


def test_the_data_dictionary_is_current(repository: Path) -> None:
    """Run `make docs` when this fails."""
    wanted = dictionary(load_catalogue(repository / "raw_data" / "catalogue").dimensions)
    assert (repository / "docs" / "data-dictionary.md").read_text() == wanted


def test_every_search_figure_has_a_source(repository: Path) -> None:
    figures = read_search_interest(repository / "raw_data")
    assert len(figures) == 13 and (figures["source"].str.len() > 5).all()


def test_a_bad_search_figure_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "search_interest.csv").write_text(
        "iso3,measure,period,value,unit,source,note\nSGP,m,2020-01,many,per cent change,x,\n"
    )
    with pytest.raises(InputError, match=r"search_interest\.csv.*line 2: value"):
        read_search_interest(tmp_path)


def test_a_data_root_without_such_evidence_has_none(tmp_path: Path) -> None:
    assert read_search_interest(tmp_path).empty
