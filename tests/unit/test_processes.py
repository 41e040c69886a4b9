"""Several processes at work on several items."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from multiprocessing import get_context
from pathlib import Path

import duckdb
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from assets import processes
from assets.processes import each
from rga.errors import InputError, Problem


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    processes.end()
    monkeypatch.setattr(processes, "processors", lambda: 2)
    yield
    processes.end()


def halved(item: int) -> tuple[float, int]:
    if item == 3:
        raise InputError([Problem("is odd", "add one", variable="age", rows=item), Problem("is a prime number")])
    return 12 / item, os.getpid()


class NeedsTwo(Exception):
    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} in {where}")


def peculiar(kind: str) -> None:
    match kind:
        case "two arguments":
            raise NeedsTwo("a hole", "the bucket")
        case "pydantic":
            TypeAdapter(int).validate_python("seven")
        case "duckdb":
            duckdb.sql("SELECT hole FROM range(1)")


def setting(name: str) -> str | None:
    return os.environ.get(name)


def deadly(item: int) -> int:
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_results_come_in_the_order_of_the_items_and_errors_in_their_place() -> None:
    quarter, error, nothing, third = each(halved, [4, 3, 0, 6])
    assert isinstance(quarter, tuple) and quarter[0] == 3 and isinstance(third, tuple) and third[0] == 2
    assert os.getpid() not in (quarter[1], third[1])
    assert isinstance(error, InputError) and [problem.variable for problem in error.problems] == ["age", None]
    assert "variable age, 3 rows: is odd" in str(error) and "is a prime number" in str(error)
    assert isinstance(nothing, ZeroDivisionError) and "in halved" in str(nothing.__cause__), "with the traceback over there"


def root_of(number: float) -> float:
    return float(np.sqrt(np.array(number)))


def test_a_warning_in_a_process_is_an_error_there_while_tests_run() -> None:
    two, warned = each(root_of, [4.0, -1.0])
    assert two == 2 and isinstance(warned, RuntimeWarning)


def test_an_exception_that_cannot_leave_its_process_is_told_all_the_same() -> None:
    two, pydantic, from_duckdb = each(peculiar, ["two arguments", "pydantic", "duckdb"])
    assert str(two) == "NeedsTwo: a hole in the bucket"
    assert isinstance(pydantic, ValidationError) and "valid integer" in str(pydantic)
    assert isinstance(from_duckdb, duckdb.BinderException) and "hole" in str(from_duckdb)


@pytest.mark.parametrize("items, processors", [([4], 2), ([4, 6], 1)])
def test_one_item_or_one_processor_takes_no_other_process(
    items: list[int], processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "processors", lambda: processors)
    assert [found[1] for found in each(halved, items) if isinstance(found, tuple)] == [os.getpid()] * len(items)
    assert isinstance(next(iter(each(halved, [3]))), InputError)


def test_processes_have_the_settings_of_the_one_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(each(setting, ["RGA_NOWHERE", "RGA_HERE"])) == [None, None]
    monkeypatch.setenv("RGA_HERE", "here")
    assert list(each(setting, ["RGA_NOWHERE", "RGA_HERE"])) == [None, "here"], "also where they were started before"
    monkeypatch.delenv("RGA_HERE")
    assert list(each(setting, ["RGA_NOWHERE", "RGA_HERE"])) == [None, None]


def test_an_item_that_gets_its_process_killed_is_named_and_costs_no_other_item_its_result() -> None:
    found = list(each(deadly, [0, 1, 2, 3, 4]))
    assert found[:2] == [0, 1] and found[3:] == [3, 4]
    assert isinstance(found[2], InputError) and "memory ran out" in str(found[2])
    assert list(each(deadly, [5, 6])) == [5, 6], "there are processes again"


def test_processes_end_when_the_one_they_work_for_is_killed() -> None:
    script = "from tests.unit.test_processes import wait_for_ever; wait_for_ever()"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        children = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    deadline = time.monotonic() + 30
    while (alive := [pid for pid in children if _is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive


def test_a_run_that_dagster_starts_in_a_process_of_its_own_ends_with_its_processes() -> None:
    child = get_context("spawn").Process(target=_use_processes)
    child.start()
    child.join(60)
    assert child.exitcode == 0


def _use_processes() -> None:
    processes.processors = lambda: 2
    assert list(each(abs, [-1, -2])) == [1, 2]


def test_processes_can_be_ended_in_the_midst_of_their_work() -> None:
    started = [processes._started(_say_and_wait, 3), processes._started(_say_and_wait, 4)]
    processes.end()
    assert not wait(started, timeout=60).not_done
    processes.end()
    assert list(each(abs, [-1, -2])) == [1, 2], "there are processes again"


def wait_for_ever() -> None:
    processes.processors = lambda: 2
    list(each(_say_and_wait, [1, 2]))


def _say_and_wait(_: int) -> None:
    os.write(1, f"{os.getpid()}\n".encode())
    signal.pause()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state not in "ZX"  # dead, but nobody asked what it died of
