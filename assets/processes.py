"""One function of many surveys, computed by several processes at once.

Belongs here: starting processes, and what becomes of one that is killed. Not here: what is computed, or who is told of an error.
"""

import gc
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.util import Finalize
from typing import TypeVar

from threadpoolctl import threadpool_limits

from rga.errors import InputError, Problem

Item = TypeVar("Item")
Result = TypeVar("Result")


MOST = 8  # each takes up to half a gigabyte

# Processes are copies of one that has loaded libraries and never did anything else: a copy of this one, in the midst of threads of
# DuckDB's, might wait for ever for a lock that one of them held.
_CONTEXT = get_context("forkserver")
_LOADED = ["assets.survey_tables", "assets.estimates", "assets.changes", "assets.adjusted_gaps"]


def processors() -> int:
    """How many this process may use, and will."""
    return min(MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def load_beforehand() -> None:
    """Have libraries loaded, beside whatever the caller does next, for the processes of `each`."""
    if processors() > 1:
        _CONTEXT.set_forkserver_preload(_LOADED)
        forkserver.ensure_running()


def each(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result | Exception]:
    """Result of ``function``, which is to be a module's own, for each item, in their order; where it raised one, the exception.

    As many at a time as there are processors, and this process itself where there is but one, or one item. Where a process is
    killed (for want of memory, most likely), what is left of the items is done one by one; one that gets its process killed then,
    too, has an InputError.
    """
    if min(processors(), len(items)) < 2:
        for item in items:
            yield _outcome(partial(function, item))
        return
    futures = [_started(function, item) for item in items]
    try:
        for item, future in zip(items, futures, strict=True):
            found = _outcome(future.result)
            yield _by_itself(function, item) if isinstance(found, BrokenProcessPool) else found
    finally:
        if not all(future.done() for future in futures):  # interrupted: nothing is to be at work once the run has ended
            end()


def _by_itself(function: Callable[[Item], Result], item: Item) -> Result | Exception:
    found = _outcome(_started(function, item).result)
    if not isinstance(found, BrokenProcessPool):
        return found
    what = "the process that worked on it ended in its midst, most likely because memory ran out"
    return InputError(Problem(what, "build it on a machine with more memory, or where nothing else is running"))


def _outcome(result: Callable[[], Result]) -> Result | Exception:
    try:
        return result()
    except Exception as error:
        return error


def _started(function: Callable[[Item], Result], item: Item) -> Future[Result]:
    task = partial(_with_settings, dict(os.environ), function, item)
    try:
        return _pool().submit(task)
    except BrokenProcessPool:  # one that lost a process takes no more work
        _pool.cache_clear()
        return _pool().submit(task)


@cache
def _pool() -> ProcessPoolExecutor:
    """Kept from one stage to the next: what is read once, such as the catalogue, is read once in each process."""
    load_beforehand()
    Finalize(None, end, exitpriority=100)  # a child of multiprocessing waits for its own children before it tells a pool to end
    return ProcessPoolExecutor(processors(), _CONTEXT, _begin)


def end() -> None:
    """End all processes, whatever they are at."""
    if not _pool.cache_info().currsize:
        return
    pool = _pool()
    _pool.cache_clear()
    processes = list((pool._processes or {}).values())  # of Python 3.14 on: `pool.kill_workers()`
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


def _with_settings(environment: dict[str, str], function: Callable[[Item], Result], item: Item) -> Result:
    os.environ.clear()
    os.environ.update(environment)
    try:
        return function(item)
    except Exception as error:
        if _travels(error):
            raise
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


def _travels(error: Exception) -> bool:
    """Whether ``error`` is the same in another process; one that cannot be put together there would cost the pool its life."""
    try:
        return str(pickle.loads(pickle.dumps(error))) == str(error)
    except Exception:
        return False


def _begin() -> None:
    """Each process: one thread for linear algebra, as the processors are taken, and no life of its own."""
    threadpool_limits(1, user_api="blas")
    gc.freeze()  # libraries stay: no collection of garbage need look through them
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who gives out the work
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(parent: object) -> None:
    parent.join()  # type: ignore[attr-defined]
    os._exit(1)
