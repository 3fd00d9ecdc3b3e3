"""From the CRM into the lake: only what changed, in one lake transaction, all or nothing.

For each CRM table the rows at or above the watermark (minus an overlap, because a long transaction commits late) are
compared with what the lake has, and only those that differ are written. Deletes have no ``updated_at``: they are found
by comparing key sets, which happens only when the table's fingerprint (row count, PostgreSQL's own counters) says that
something else than the watermark's rows moved. A deleted row stays as a tombstone (``_deleted``). A table whose
fingerprint is the one of the last ingest is not read at all.
"""

from crm_agents.ingest.job import IngestResult, is_worth_publishing, newest_batch, run
from crm_agents.ingest.table import TableCounts

__all__ = ["IngestResult", "TableCounts", "is_worth_publishing", "newest_batch", "run"]
