"""Files of every format give the codes that are in them, or an error that names the file."""

from __future__ import annotations

import base64
import datetime
import zlib
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat
import pytest

from rga.errors import InputError
from rga.microdata.readers import column_names, read_columns
from tests.unit.test_respondents import rows

# Python writes no .sas7bdat: this one is `rows()`, written by ReadStat's command (Debian's package readstat 1.1.8).
SAS7BDAT = (
    "eNrt2ztLA0EQB/BJfBAfYASLFIJBRCxE7kx8gegGoihEEc7C0ijxASE+IGin9lZ+BCt7W4XDxlLs7OytrFQwGje5veRuyBo7Ef+/cAwzuzs5SHLshYSo6ubp"
    "ZPWyq/Pu+ixELbfmaaQn3Bkj6qUAmfStLl9mJazo7HxqJplYTlgzy1EdqqO03pknNs7zj4lqZEqdwkRBVp4YMkzDXDBkjMs4mtrO5Q8JAAAAAAAAAAAAAAAA"
    "AADgP+qQD6KHdicbaPCP2qoeYau2VH3FLQScUGhzYpbVhapfsTqpumD97dba9WNNXWjqpKnbLZr+mrrQ1ElTt0Oa+QAAAFDX53uxDOux/jfWF5zlxQtWL23v"
    "GuUmNsTysC8PVvbN7niU5QMsN1g+znLB8jn2fF7q1IuVPTp1qxlRtf3uo+ZyHKSmcoyr8XEVJ1UU5NwWJFWcU/OrPtRzJT01/jvgeTl4ION+ZnN7J0e0m02v"
    "Z2SeSRPtmfIYlkcsLY812t3ayZXGXiTPNr7iVfrJ67ekYqNmvLVeg3DtcpHBlRr+pID3k/E87cS36UXfJLfeL/z5FMtJGOaY978E7uVKLLLbafVtg/DlYknw"
    "dbLfsOeqW7mdtmqe34ga73WivWL7xu/fjmS/mOfDLdy+Vs3zG2XnYwq3j9tX9ovjTQQAAAAAAAC/7Qvn4NUZ"
)


def read(path: Path) -> pd.DataFrame:
    return read_columns(path, column_names(path))


def test_a_sas_file_gives_the_same_values_as_the_table_it_was_made_from(tmp_path: Path) -> None:
    path = tmp_path / "data.sas7bdat"
    path.write_bytes(zlib.decompress(base64.b64decode(SAS7BDAT)))
    pd.testing.assert_frame_equal(read(path), rows(), check_dtype=False)
    path.write_bytes(path.read_bytes()[:11_000])
    with pytest.raises(InputError, match=r"data.sas7bdat: cannot be read as .sas7bdat"):
        read(path)


def test_missing_values_of_sas_are_letters(tmp_path: Path) -> None:
    path = tmp_path / "data.xpt"
    pyreadstat.write_xport(pd.DataFrame({"q1": [1.0, None, None], "w": [1.0, 2.0, 3.0]}), path)
    blank, letter = b"." + bytes(7), b"R" + bytes(7)  # SAS' `.` and `.R`
    path.write_bytes(path.read_bytes().replace(blank, letter, 1))
    assert read(path)["q1"].fillna("blank").tolist() == [1, ".r", "blank"]


def test_user_missing_codes_of_portable_spss_files_are_no_blanks(tmp_path: Path) -> None:
    path = tmp_path / "data.por"
    pyreadstat.write_por(pd.DataFrame({"Q1": [1.0, 98.0, None]}), path)
    text = path.read_bytes().replace(b"\r\n", b"").rstrip(b"Z")
    head, tail = text.split(b"2/Q15/8/2/5/8/2/")
    text = head + b"2/Q15/8/2/5/8/2/" + b"838/" + tail  # 8: a missing value follows, 98 in base 30
    text += b"Z" * (80 - len(text) % 80)
    path.write_bytes(b"\r\n".join(text[at : at + 80] for at in range(0, len(text), 80)) + b"\r\n")
    assert read(path)["Q1"].astype(object).fillna("blank").tolist() == [1, 98, "blank"]


def test_a_transport_file_cut_in_the_middle_of_a_record_is_not_read_as_a_shorter_one(tmp_path: Path) -> None:
    path = tmp_path / "data.xpt"
    pyreadstat.write_xport(rows(), path)
    path.write_bytes(path.read_bytes()[:-90])
    with pytest.raises(InputError, match="middle of a record"):
        read(path)


@pytest.mark.parametrize(("file", "write"), [("data.sav", pyreadstat.write_sav), ("data.dta", pyreadstat.write_dta)])
def test_text_of_programs_older_than_utf8_is_read(tmp_path: Path, file: str, write) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / file
    write(pd.DataFrame({"q1": [1, 2], "place": ["Dhaka", "zzzz"]}), path)
    path.write_bytes(path.read_bytes().replace(b"zzzz", "Thiès"[1:].encode("cp1252")))
    assert read(path)["place"].tolist() == ["Dhaka", "hiès"]
    path.write_bytes(path.read_bytes().replace("hiès".encode("cp1252"), b"hi\x81s"))  # no letter of Windows either
    with pytest.raises(InputError, match=file):
        read(path)


def test_an_excel_file_gives_the_codes_that_openpyxl_gave(tmp_path: Path) -> None:
    path = tmp_path / "data.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["code", "share", "day", "time", "text", "zeros", "gap", "big"])
    day, moment = datetime.date(2020, 5, 1), datetime.datetime(2020, 5, 1, 10, 30)
    book.active.append([1, 1.5, day, moment, "a;b", "01", None, 2**40])
    book.active.append([2.0, 0.1 + 0.2, day, moment, " padded ", "1.0", " ", 9999])
    book.active.append([None, None, None, None, "", None, None, None])
    book.active.append([-99, 1e-7, day, moment, "é", "007", 3, 1])
    book.save(path)
    found = read(path)
    expected = pd.read_excel(path, dtype=object, engine="openpyxl").replace(" ", float("nan"))
    pd.testing.assert_frame_equal(found, expected)
    assert [type(value) for value in found["code"][:2]] == [int, int] and found["zeros"].tolist()[:2] == ["01", "1.0"]


def test_only_the_wanted_columns_of_an_excel_file_are_given(tmp_path: Path) -> None:
    rows().to_excel(tmp_path / "data.xlsx", index=False)
    assert list(read_columns(tmp_path / "data.xlsx", ["q2", "q1", "q99"]).columns) == ["q1", "q2"]


def test_an_answer_that_reads_none_or_na_in_an_excel_file_is_no_blank(tmp_path: Path) -> None:
    answers = ["None", "NA", "nan", "n/a", None]
    pd.DataFrame({"id": range(5), "q1": answers}).to_excel(tmp_path / "data.xlsx", index=False)
    values = read(tmp_path / "data.xlsx")["q1"]
    assert values[:4].tolist() == answers[:4] and pd.isna(values[4])


def test_a_text_file_of_very_many_columns_is_read_as_a_narrow_one(tmp_path: Path) -> None:
    names = ["id", "words", *(f"v{n}" for n in range(1_200))]
    row = '7;"two; and ""three""\nlines";' + ";" * 1_199
    (tmp_path / "wide.csv").write_text(";".join(names) + "\n" + row + "\n", encoding="utf-8")
    frame = read_columns(tmp_path / "wide.csv", ["id", "words", "v1199"])
    assert frame.fillna("blank").iloc[0].tolist() == ["7", 'two; and "three"\nlines', "blank"]
    (tmp_path / "wide.csv").write_text(";".join(names) + "\n1;2;3\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be read as \.csv"):
        read_columns(tmp_path / "wide.csv", ["id"])
