"""Goal: a new driver begins only when the one before is gone.

Method: another process holds the lock, as a JVM does; once it ends by itself, once it does not.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import single

HOLDER = """
import fcntl, pathlib, os, sys
path = pathlib.Path(sys.argv[1])
path.with_suffix(".pid").write_text(str(os.getpid()))
file = path.open("a+b")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def hold(lock: Path) -> subprocess.Popen[bytes]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return holder


def test_a_free_lock_is_not_waited_for(tmp_path: Path) -> None:
    single.wait_for_earlier_driver(tmp_path / "driver.lock")


def test_a_driver_that_ends_by_itself_is_waited_for(tmp_path: Path) -> None:
    lock = tmp_path / "driver.lock"
    holder = hold(lock)
    assert holder.stdin is not None
    holder.stdin.close()

    single.wait_for_earlier_driver(lock)

    assert holder.wait() == 0


def test_a_driver_that_does_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single, "GRACE_S", 0)
    lock = tmp_path / "driver.lock"
    holder = hold(lock)

    single.wait_for_earlier_driver(lock)

    assert holder.wait() == -9


def test_one_that_cannot_be_ended_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single, "WAIT_S_MAX", 0)
    lock = tmp_path / "driver.lock"
    holder = hold(lock)

    with pytest.raises(TimeoutError, match=r"driver\.lock"):
        single.wait_for_earlier_driver(lock)

    holder.kill()
    holder.wait()
