"""One thread for linear algebra on small matrices.

Belongs here: how many threads BLAS may use. Not here: what is computed. Ours are small: handing them to several threads and waiting
took ten times as long as doing them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # finds the libraries that are loaded: once


def one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` with BLAS held to one thread while it runs."""

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
