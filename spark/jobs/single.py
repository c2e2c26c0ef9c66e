"""One driver at a time: a lock that the JVM holds for as long as it lives.

A JVM whose Python process was killed ends by itself, but it may still commit for a second or two,
and two drivers that replay the same batch at the same time could each find that it is not there
yet. So a new driver waits for the old JVM, and ends it if it takes too long. The lock is one of the
operating system: it cannot outlive its process, so the process id beside it is always right.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path

from pyspark.sql import SparkSession

GRACE_S = 5
WAIT_S_MAX = 20
POLL_S = 0.1


def wait_for_earlier_driver(lock: Path) -> None:
    """Return once no JVM holds the lock.

    Raises:
        TimeoutError: the process that holds it does not even end when it is killed.

    """
    lock.touch()
    started = time.monotonic()
    while not _is_free(lock):
        waited = time.monotonic() - started
        if waited > WAIT_S_MAX:
            raise TimeoutError(f"An earlier Spark driver still holds {lock}: end it and try again")
        if waited > GRACE_S:
            with contextlib.suppress(ValueError, ProcessLookupError):
                os.kill(int(lock.with_suffix(".pid").read_text()), signal.SIGKILL)
        time.sleep(POLL_S)


def hold(session: SparkSession, lock: Path, pid: int) -> object:
    """Have the session's JVM hold the lock; returns what keeps it from being let go."""
    lock.with_suffix(".pid").write_text(str(pid))
    channel = session._jvm.java.io.RandomAccessFile(str(lock), "rw").getChannel()
    return channel, channel.lock()


def _is_free(lock: Path) -> bool:
    with lock.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
