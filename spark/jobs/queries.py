"""All streaming queries of the lake, how they hang together, and how often each of them runs.

Bronze's queries append Kafka's topics. The refining query follows bronze.trades through Silver and
Gold, and takes events where they are due; frames have a query of their own. What refines holds one
lock: maintenance and the end of the process wait for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from bronze import BronzeQuery, bronze_rows, client_options
from channel import Channel, one_line
from config import Config
from frames import FRAMES, FrameRefinery, RefinedFrames, start_frames
from kafka_offsets import KafkaOffsets, KafkaUnavailableError
from losses import settle_losses
from lost_offsets import ends_of_held
from positions import Positions
from progress import REFINE, Follower, Progress
from refine import Refinery
from registry import RegistryUnavailableError, SchemaRegistry
from tables import BRONZE_DEAD_LETTERS, BRONZE_EVENTS, BRONZE_FRAMES, BRONZE_TRADES, Table

#: Triggers of Bronze's queries, in trades' triggers. Nobody waits for dead letters and frames, and
#: confirmations come every five seconds; a longer trigger leaves the machine free.
EVENT_TRIGGERS = 4
FRAME_TRIGGERS = 15
DEAD_LETTER_TRIGGERS = 15
#: How often events are looked for, and taken where no trades come.
SETTLE_S = 5
#: The same while batch follows batch: nobody waits for a bar's completeness as for its price, and
#: the batch that takes events is the slowest.
BUSY_SETTLE_S = 15
#: How often the refining query looks for what Bronze has taken in.
REFINE_TRIGGER = "250 milliseconds"


class Queries:
    """The queries of one driver.

    Args:
        session: the driver's session; the tables are there.
        config: the driver's.
        channel: where progress is told.
        failed: called with a query's name and reason when it ends by an error.
        reached: called with each boundary that a batch comes to, see `refine.BOUNDARIES`.

    """

    def __init__(
        self,
        session: SparkSession,
        config: Config,
        channel: Channel,
        failed: Callable[[str, str], None],
        reached: Callable[[str], None],
    ) -> None:
        self._session = session
        self._config = config
        self._channel = channel
        self._failed = failed
        self._kafka = KafkaOffsets(session, client_options(config))
        self._registry = SchemaRegistry(
            config.schema_registry_url,
            username=config.schema_registry_username,
            password=config.schema_registry_password,
            ca=config.schema_registry_ca,
        )
        #: Held while a batch is refined.
        self.lock = threading.Lock()
        self._trades = self._bronze(BRONZE_TRADES, config.trade_topics)
        self._frames = self._bronze(BRONZE_FRAMES, config.frame_topics)
        events = self._bronze(BRONZE_EVENTS, [config.event_topic])
        letters = self._bronze(BRONZE_DEAD_LETTERS, [config.dead_letter_topic])
        self._triggers = {
            self._trades: 1,
            events: EVENT_TRIGGERS,
            self._frames: FRAME_TRIGGERS,
            letters: DEAD_LETTER_TRIGGERS,
        }
        asked_for = [query for query in self._triggers if query.topics]
        self._startable = settle_losses(
            session, config, channel, self._kafka, self._registry, asked_for
        )
        self._refinery = Refinery(
            session,
            self._registry,
            self._trade_ends,
            self._step_to(reached),
            config.max_offsets_per_trigger,
        )
        self._frame_refinery = FrameRefinery(
            session,
            self._registry,
            lambda reason: channel.send("warning", reason=one_line(reason)),
            step=lambda: channel.send("working", query=FRAMES),
        )
        self._progress = Progress(
            channel,
            bronze={query.name: query for query in asked_for},
            followers={
                REFINE: Follower(self._trades.name, lambda: self._refinery.positions),
                FRAMES: Follower(self._frames.name, lambda: self._frame_refinery.positions),
            },
            failed=self._tell_failed,
        )
        #: Why the refining query failed, better said than Spark says it.
        self._refine_failure: str | None = None

    def start(self) -> Sequence[StreamingQuery]:
        """Start all of them but those that wait for a person."""
        seconds = self._config.trigger_seconds
        # Readers first: a stream that begins on an empty table needs none of its old snapshots.
        queries = (
            self._start_refine(),
            start_frames(
                self._session,
                self._config,
                self._frame_refinery,
                seconds * FRAME_TRIGGERS,
                self._report_frames,
            ),
            *(query.start(seconds * self._triggers[query]) for query in self._startable),
        )
        self._progress.watch(queries)
        threading.Thread(target=self._settle_regularly, daemon=True).start()
        return queries

    def _bronze(self, table: Table, topics: Iterable[str]) -> BronzeQuery:
        return BronzeQuery(self._session, self._config, self._kafka, table, topics)

    def _trade_ends(self) -> Positions:
        """Return where Kafka's topics of trades end, as Bronze names them."""
        held = self._kafka.held(self._trades.topics)
        return self._trades.in_bronze(ends_of_held(held))

    def _step_to(self, reached: Callable[[str], None]) -> Callable[[str], None]:
        def step(boundary: str) -> None:
            reached(boundary)
            self._channel.send("working", query=REFINE)

        return step

    def _tell_failed(self, name: str, reason: str) -> None:
        if name == REFINE and self._refine_failure is not None:
            reason = self._refine_failure
        self._failed(name, reason)

    def _start_refine(self) -> StreamingQuery:
        def refine(records: DataFrame, batch_id: int) -> None:
            with self.lock:
                started = time.monotonic()
                try:
                    refined = self._refinery.refine(records)
                except Exception as error:
                    self._refine_failure = f"{type(error).__name__}: {error}"
                    raise
                seconds = time.monotonic() - started
            undecodable = self._refinery.undecodable_events
            self._progress.batch_refined(batch_id, refined, seconds, undecodable)

        rows_max = self._config.max_offsets_per_trigger
        return (
            bronze_rows(self._session, BRONZE_TRADES, rows_max)
            .writeStream.foreachBatch(refine)
            .queryName(REFINE)
            .option("checkpointLocation", f"{self._config.checkpoint_dir}/{REFINE}")
            .trigger(processingTime=REFINE_TRIGGER)
            .start()
        )

    def _report_frames(self, batch_id: int, refined: RefinedFrames, seconds: float) -> None:
        self._progress.batch_taken(
            FRAMES,
            batch_id,
            rows=refined.rows,
            seconds=seconds,
            newest_kafka_us=refined.newest_kafka_us,
            undecodable_total=self._frame_refinery.undecodable,
        )

    def _settle_regularly(self) -> None:
        # Its commits carry positions in settings of the session, and no other's do.
        session = self._session.newSession()
        unavailable = ""
        positions = self._refinery.positions
        while True:
            is_busy = self._refinery.positions != positions
            positions = self._refinery.positions
            time.sleep(BUSY_SETTLE_S if is_busy else SETTLE_S)
            with self.lock:
                try:
                    self._refinery.settle(session)
                    unavailable = ""
                except (KafkaUnavailableError, RegistryUnavailableError) as error:
                    reason = one_line(str(error))
                    # Once, not at every look.
                    if reason != unavailable:
                        self._channel.send("warning", reason=reason)
                    unavailable = reason
                except Exception as error:  # noqa: BLE001 - as a failed batch of the query
                    self._failed(REFINE, f"{type(error).__name__}: {error}")
                    return
