"""What one run of maintenance found and did, as the parent is told. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from table_files import Measure


@dataclass
class TableReport:
    """One table."""

    table: str
    before: Measure
    after: Measure
    rows_deleted: int = 0
    rewritten_files: int = 0
    rewritten_bytes: int = 0
    orphans_removed: int = 0
    #: What was left undone, and why, a sentence each.
    skipped: list[str] = field(default_factory=list)
    #: What went wrong; None: nothing.
    failure: str | None = None

    def as_values(self) -> dict[str, object]:
        """Return it as JSON has it, flat."""
        values = asdict(self)
        for moment in ("before", "after"):
            for name, value in values.pop(moment).items():
                values[f"{name}_{moment}"] = value
        return values
