"""What the driver says to its parent: JSON, one object a line, and nothing else on that stream.

Spark, the JVM and Python's own warnings print where they like, so the real stdout is put aside
before any of them starts and file descriptor 1 becomes stderr.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from datetime import datetime, timezone

REASON_LENGTH_MAX = 500


class Channel:
    """The stream to the parent. Any thread may write."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, kind: str, **values: object) -> None:
        """Write one line. A parent that is gone is noticed by stdin's end, not here."""
        line = json.dumps({"type": kind, **values})
        with self._lock, contextlib.suppress(OSError):
            self._stream.write(line + "\n")
            self._stream.flush()


def now_text() -> str:
    """Return this instant in ISO 8601, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def one_line(text: str) -> str:
    """Return a text as one line of bounded length."""
    return " ".join(text.split())[:REASON_LENGTH_MAX]
