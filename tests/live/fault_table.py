"""What the load met in each fault, printed as one table at the end of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.live.load import Load


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: how long the load ran, what came of its calls, and what else there is to say."""

    fault: str
    seconds: float
    calls: int
    failed: int
    fallen_back: int
    worst_ms: float
    note: str


@dataclass(slots=True)
class FaultTable:
    """The rows so far."""

    rows: list[Row] = field(default_factory=list)

    def add(self, fault: str, load: Load, note: str) -> None:
        """Add what a load met."""
        self.rows.append(
            Row(fault, load.seconds, len(load.calls), len(load.failed), len(load.fallen_back), load.worst_ms, note)
        )

    def lines(self) -> list[str]:
        """Return the table as text; no lines where nothing was tried."""
        if not self.rows:
            return []
        width = max(len(row.fault) for row in self.rows)
        head = f"{'fault':<{width}}  seconds  calls  failed  fallback  worst ms  note"
        return [head, "-" * len(head)] + [
            f"{row.fault:<{width}}  {row.seconds:7.1f}  {row.calls:5}  {row.failed:6}  {row.fallen_back:8}  "
            f"{row.worst_ms:8.0f}  {row.note}".rstrip()
            for row in self.rows
        ]


TABLE = FaultTable()
"""The table of this run."""
