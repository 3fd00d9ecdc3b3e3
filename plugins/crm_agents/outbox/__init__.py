"""The outbox: messages and tasks that agents have decided on, behind rules of consent and frequency that fail closed.

Nothing is sent here. A wish becomes a row of ``crm_ai.outbox`` only when every rule (`rules`) lets it through; otherwise the
rule that stopped it is named in ``crm_ai.decisions``. What customers have ever refused is kept in ``crm_ai.suppressions``.
"""

from crm_agents.outbox.checking import BLOCKED, PERMITTED, Checked, check
from crm_agents.outbox.table import Filled, fill, recheck, record_blocks, write

__all__ = ["BLOCKED", "PERMITTED", "Checked", "Filled", "check", "fill", "recheck", "record_blocks", "write"]
