"""Waiting for what other processes and threads do."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_S_MAX = 60
_LOOK_S = 0.05


def until(what: str, condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail, saying what did not come, after a minute."""
    deadline = time.monotonic() + WAIT_S_MAX
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for {what} after {WAIT_S_MAX} s"
        time.sleep(_LOOK_S)
