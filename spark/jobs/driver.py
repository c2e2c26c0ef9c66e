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
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from bronze import BronzeQuery, bronze_rows, client_options
from channel import Channel, now_text, one_line
from config import Config, parse_config
from frames import FRAMES, FrameRefinery, RefinedFrames, start_frames
from kafka_offsets import KafkaOffsets, KafkaUnavailableError
from losses import settle_losses
from lost_offsets import ends_of_held
from maintainer import Maintainer, maintain_once
from progress import REFINE, Follower, Progress
from refine import Refinery
from registry import RegistryUnavailableError, SchemaRegistry
from session import jvm, open_session
from single import hold, wait_for_earlier_driver
from table_files import load, set_properties
from tables import (
    BRONZE_DEAD_LETTERS,
    BRONZE_EVENTS,
    BRONZE_FRAMES,
    BRONZE_TRADES,
    TABLES,
    Table,
    definitions,
    properties,
)

HEARTBEAT_S = 5
#: Triggers of Bronze's queries, in trades' triggers. Nobody waits for dead letters and frames, and
#: confirmations come every five seconds; a longer trigger leaves the machine free.
EVENT_TRIGGERS = 2
FRAME_TRIGGERS = 5
DEAD_LETTER_TRIGGERS = 5
#: How often events are looked for, and taken where no trades come.
SETTLE_S = 5
#: How often the refining query looks for what Bronze has taken in.
REFINE_TRIGGER = "250 milliseconds"
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
        self._batch_lock = threading.Lock()
        self._jvm: subprocess.Popen[bytes] | None = None
        self._work = Path(config.temp_dir) / "work"
        self._is_serving = False
        self._is_ending = False
        self._maintainer: Maintainer | None = None
        #: Why the refining query failed, better said than Spark says it.
        self._refine_failure: str | None = None

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
        queries = self._start_queries(session)
        self._maintainer = Maintainer(
            session, self._config, self._channel, lambda: self._batch_lock
        )
        self._maintainer.start()
        self._is_serving = True
        self._channel.send("ready", queries=[query.name for query in queries])
        self._serve(queries)
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

    def _start_queries(self, session: SparkSession) -> Sequence[StreamingQuery]:
        config = self._config
        for definition in definitions(config.trigger_seconds):
            session.sql(definition)
        for table in TABLES:
            set_properties(load(session, table), properties(config.trigger_seconds))
        registry = SchemaRegistry(
            config.schema_registry_url,
            username=config.schema_registry_username,
            password=config.schema_registry_password,
            ca=config.schema_registry_ca,
        )
        kafka = KafkaOffsets(session, client_options(config))

        def bronze(table: Table, topics: Iterable[str]) -> BronzeQuery:
            return BronzeQuery(session, config, kafka, table, topics)

        trades = bronze(BRONZE_TRADES, config.trade_topics)
        events = bronze(BRONZE_EVENTS, [config.event_topic])
        frames = bronze(BRONZE_FRAMES, config.frame_topics)
        letters = bronze(BRONZE_DEAD_LETTERS, [config.dead_letter_topic])
        triggers = {trades: 1, events: EVENT_TRIGGERS, frames: FRAME_TRIGGERS}
        triggers[letters] = DEAD_LETTER_TRIGGERS
        asked_for = [query for query in triggers if query.topics]
        startable = settle_losses(session, config, self._channel, kafka, registry, asked_for)
        refinery = Refinery(
            session,
            registry,
            lambda: trades.in_bronze(ends_of_held(kafka.held(trades.topics))),
            self._reach,
            config.max_offsets_per_trigger,
        )
        frame_refinery = FrameRefinery(
            session,
            registry,
            self._warn,
            step=lambda: self._channel.send("working", query=FRAMES),
        )
        settling = [session.newSession(), refinery]
        threading.Thread(target=self._settle_regularly, args=settling, daemon=True).start()
        progress = Progress(
            self._channel,
            bronze={query.name: query for query in asked_for},
            followers={
                REFINE: Follower(trades.name, lambda: refinery.positions),
                FRAMES: Follower(frames.name, lambda: frame_refinery.positions),
            },
            failed=lambda name, reason: self._events.put((name, reason)),
        )

        def report_frames(batch_id: int, refined: RefinedFrames, seconds: float) -> None:
            progress.batch_taken(
                FRAMES,
                batch_id,
                rows=refined.rows,
                seconds=seconds,
                newest_kafka_us=refined.newest_kafka_us,
                undecodable_total=frame_refinery.undecodable,
            )

        session.streams.addListener(progress)
        frames_seconds = config.trigger_seconds * FRAME_TRIGGERS
        # Readers first: a stream that begins on an empty table needs none of its old snapshots.
        return (
            self._start_refine(session, refinery, progress),
            start_frames(session, config, frame_refinery, frames_seconds, report_frames),
            *(query.start(config.trigger_seconds * triggers[query]) for query in startable),
        )

    def _start_refine(
        self, session: SparkSession, refinery: Refinery, progress: Progress
    ) -> StreamingQuery:
        def refine(records: DataFrame, batch_id: int) -> None:
            with self._batch_lock:
                started = time.monotonic()
                try:
                    refined = refinery.refine(records)
                except Exception as error:
                    self._refine_failure = f"{type(error).__name__}: {error}"
                    raise
                seconds = time.monotonic() - started
            progress.batch_refined(batch_id, refined, seconds)

        rows = bronze_rows(session, BRONZE_TRADES, self._config.max_offsets_per_trigger)
        return (
            rows.writeStream.foreachBatch(refine)
            .queryName(REFINE)
            .option("checkpointLocation", f"{self._config.checkpoint_dir}/{REFINE}")
            .trigger(processingTime=REFINE_TRIGGER)
            .start()
        )

    def _settle_regularly(self, session: SparkSession, refinery: Refinery) -> None:
        while True:
            time.sleep(SETTLE_S)
            with self._batch_lock:
                try:
                    refinery.settle(session)
                except (KafkaUnavailableError, RegistryUnavailableError) as error:
                    print(one_line(str(error)), file=sys.stderr)
                except Exception as error:  # noqa: BLE001 - as a failed batch of the query
                    self._events.put((REFINE, f"{type(error).__name__}: {error}"))
                    return

    def _serve(self, queries: Sequence[StreamingQuery]) -> None:
        while True:
            try:
                name, reason = self._events.get(timeout=HEARTBEAT_S)
            except queue.Empty:
                self._channel.send("heartbeat", timestamp=now_text())
                continue
            if name == "drain":
                self._drain(queries)
            if name == REFINE and self._refine_failure is not None:
                reason = self._refine_failure
            self.fail(name, reason)

    def _drain(self, queries: Sequence[StreamingQuery]) -> None:
        deadline = time.monotonic() + DRAIN_S_MAX
        # Held to the end: no further batch of the refining query begins.
        self._batch_lock.acquire(timeout=DRAIN_S_MAX)
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
        self._channel.send("working", query=REFINE)

    def _warn(self, reason: str) -> None:
        self._channel.send("warning", reason=one_line(reason))

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
