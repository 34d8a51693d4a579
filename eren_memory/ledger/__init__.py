"""The system of record: notes, revisions, audit events and the outbox, in SQL transactions."""

from eren_memory.ledger.archive import Manifest, back_up, restore
from eren_memory.ledger.ledger import Ledger, Pending, open_ledger
from eren_memory.ledger.unit import Event, Unit

__all__ = ["Event", "Ledger", "Manifest", "Pending", "Unit", "back_up", "open_ledger", "restore"]
