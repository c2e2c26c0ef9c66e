"""Lets go of a table's old snapshots, and of the files that only they needed.

Everything before one instant goes: the age that readers count on, or earlier where a snapshot is
still needed, by a stream or for the consumed positions that it holds. No Spark job runs.
"""

from __future__ import annotations

from collections.abc import Collection

from table_files import Java

#: One run lets go of about so many, the oldest first: each costs the deletion of its files.
SNAPSHOTS_PER_RUN_MAX = 1000


def expire(
    iceberg: Java,
    *,
    before_ms: int,
    needed: Collection[int] = (),
    snapshots_max: int = SNAPSHOTS_PER_RUN_MAX,
) -> None:
    """Expire snapshots, and delete the files that no other one holds.

    Args:
        iceberg: the table.
        before_ms: younger snapshots are kept; milliseconds since 1970.
        needed: ids of snapshots to keep, with all that followed them.
        snapshots_max: how many are expired at most, roughly.

    """
    iceberg.refresh()
    snapshots = iceberg.operations().current().snapshots()
    if snapshots.isEmpty():
        return
    keep_ms = min(before_ms, _earliest_needed_ms(iceberg, needed))
    if snapshots.size() > snapshots_max:
        keep_ms = min(keep_ms, snapshots.get(snapshots_max).timestampMillis())
    if snapshots.get(0).timestampMillis() < keep_ms:
        iceberg.expireSnapshots().expireOlderThan(keep_ms).retainLast(1).commit()


def _earliest_needed_ms(iceberg: Java, needed: Collection[int]) -> int:
    """Return the earliest commit time from the needed snapshots to the current one.

    No snapshot in between may go, and clocks may be set back, so that each is looked at.
    """
    missing = {snapshot_id for snapshot_id in needed if iceberg.snapshot(snapshot_id) is not None}
    snapshot = iceberg.currentSnapshot()
    earliest_ms = snapshot.timestampMillis()
    while snapshot is not None and missing:
        earliest_ms = min(earliest_ms, snapshot.timestampMillis())
        missing.discard(snapshot.snapshotId())
        parent = snapshot.parentId()
        snapshot = None if parent is None else iceberg.snapshot(parent)
    return earliest_ms
