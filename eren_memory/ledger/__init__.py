"""The system of record: notes, revisions, audit events and the outbox, in SQL transactions."""

from eren_memory.ledger.ledger import AddedNote, Ledger, Pending, open_ledger

__all__ = ["AddedNote", "Ledger", "Pending", "open_ledger"]
