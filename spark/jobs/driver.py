"""The Spark driver: one process, all streaming queries, told what to do over stdin.

The first line of stdin is the configuration (see `config.py`), each later one a command;
`{"command": "drain"}` and the end of stdin both mean: let the running batch end, then go, and
`{"command": "maintain"}`: keep the lake in order now. What it says goes to stdout as JSON lines:
`session`, `ready`, `progress`, `working`, `heartbeat`, `offsets_lost`, `warning`, `maintained`,
`failed`, `drained`. In the mode `maintain` it runs no query: it maintains a lake that nobody writes
to, once, and ends.

Ending is a kill of the JVM, on purpose. Every commit is one atomic step and every start asks the
tables how far they are, so a process that dies anywhere loses nothing; to interrupt a running
commit from within would be the less proven way. A drain therefore only waits for a moment at
which no batch runs, and gives up waiting when its time is over.
"""

from __future__ import annotations

import sys

# The checkout is not ours to write to.
sys.dont_write_bytecode = True

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from channel import Channel, now_text, one_line
from config import Config, parse_config
from maintainer import Maintainer, maintain_once
from progress import REFINE
from queries import Queries
from session import jvm, open_session
from single import hold, wait_for_earlier_driver
from table_files import load, set_properties
from tables import TABLES, definitions, properties

HEARTBEAT_S = 5
DRAIN_S_MAX = 10
#: After this time the process ends whatever it is doing.
END_S_MAX = 12
IDLE_POLL_S = 0.02


class Driver:
    """One run of the driver."""

    def __init__(self, config: Config, channel: Channel) -> None:
        self._config = config
        self._channel = channel
        self._events: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._jvm: subprocess.Popen[bytes] | None = None
        self._work = Path(config.temp_dir) / "work"
        self._is_serving = False
        self._is_ending = False
        self._maintainer: Maintainer | None = None

    def run(self) -> None:
        """Serve until told to end. Never returns: it ends the process."""
        threading.Thread(target=self._read_commands, daemon=True).start()
        self._take_signals()
        started = time.monotonic()
        lock = self._prepare_folder()
        session = open_session(replace(self._config, temp_dir=str(self._work)))
        self._jvm = jvm(session)
        threading.Thread(target=self._watch, args=[self._jvm], daemon=True).start()
        # Again: PySpark has put its own in place of ours.
        self._take_signals()
        held = hold(session, lock, self._jvm.pid)
        seconds = round(time.monotonic() - started, 3)
        self._channel.send("session", pid=os.getpid(), jvm_pid=self._jvm.pid, seconds=seconds)
        if self._config.mode == "maintain":
            self._maintain_once(session)
        self._define_tables(session)
        queries = Queries(
            session,
            self._config,
            self._channel,
            failed=lambda name, reason: self._events.put((name, reason)),
            reached=self._reach,
        )
        started_queries = queries.start()
        self._maintainer = Maintainer(session, self._config, self._channel, lambda: queries.lock)
        self._maintainer.start()
        self._is_serving = True
        self._channel.send("ready", queries=[query.name for query in started_queries])
        self._serve(started_queries, queries.lock)
        del held

    def _maintain_once(self, session: SparkSession) -> NoReturn:
        if maintain_once(session, self._config, self._channel):
            self._end(0)
        self.fail(None, "There is no lake yet: run 'bun run start' and wait for its first bars")

    def _prepare_folder(self) -> Path:
        temp = self._work.parent
        temp.mkdir(parents=True, exist_ok=True)
        lock = temp / "driver.lock"
        wait_for_earlier_driver(lock)
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir()
        return lock

    def _take_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ask_to_end())

    def _define_tables(self, session: SparkSession) -> None:
        seconds = self._config.trigger_seconds
        for definition in definitions(seconds):
            session.sql(definition)
        for table in TABLES:
            set_properties(load(session, table), properties(seconds))

    def _serve(self, queries: Sequence[StreamingQuery], lock: threading.Lock) -> None:
        while True:
            try:
                name, reason = self._events.get(timeout=HEARTBEAT_S)
            except queue.Empty:
                self._channel.send("heartbeat", timestamp=now_text())
                continue
            if name == "drain":
                self._drain(queries, lock)
            self.fail(name, reason)

    def _drain(self, queries: Sequence[StreamingQuery], lock: threading.Lock) -> None:
        deadline = time.monotonic() + DRAIN_S_MAX
        # Held to the end: no further batch of the refining query begins.
        lock.acquire(timeout=DRAIN_S_MAX)
        for query in queries:
            while query.name != REFINE and query.status["isTriggerActive"]:
                if time.monotonic() > deadline:
                    break
                time.sleep(IDLE_POLL_S)
        self._channel.send("drained")
        self._end(0)

    def _read_commands(self) -> None:
        for line in sys.stdin:
            command = _command_of(line)
            if command == "drain":
                self._ask_to_end()
            elif command == "maintain" and self._maintainer is not None:
                self._maintainer.ask()
            elif line.strip():
                print(f"Not a command, left out: {one_line(line)}", file=sys.stderr)
        self._ask_to_end()

    def _ask_to_end(self) -> None:
        if not self._is_serving:
            # Nothing is running that a wait could save.
            self._channel.send("drained")
            self._end(0)
        timer = threading.Timer(END_S_MAX, self._end, [0])
        timer.daemon = True
        timer.start()
        self._events.put(("drain", ""))

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        # Whoever ends the process on purpose is about to leave, and says why better than this.
        if not self._is_ending:
            self.fail(None, f"Spark's JVM has ended by itself with code {code}")

    def _reach(self, boundary: str) -> None:
        if boundary == self._config.fault:
            self._end(1)

    def fail(self, query: str | None, reason: str) -> NoReturn:
        """Report that the driver cannot go on, and end it."""
        self._channel.send("failed", query=query, reason=one_line(reason))
        self._end(1)

    def _end(self, code: int) -> NoReturn:
        self._is_ending = True
        if self._jvm is not None:
            self._jvm.kill()
        shutil.rmtree(self._work, ignore_errors=True)
        os._exit(code)


def _command_of(line: str) -> object:
    try:
        command = json.loads(line)
    except json.JSONDecodeError:
        return None
    return command.get("command") if isinstance(command, dict) else None


def main() -> None:
    """Run the driver."""
    channel = Channel()
    try:
        config = parse_config(sys.stdin.readline())
    except ValueError as error:
        channel.send("failed", query=None, reason=one_line(str(error)))
        sys.exit(1)
    driver = Driver(config, channel)
    try:
        driver.run()
    except Exception as error:  # noqa: BLE001 - whatever it was, the parent must learn of it
        driver.fail(None, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
