"""The system of record: notes, revisions, audit events and the outbox, in SQL transactions.

Nothing is imported here: who lists notes needs neither backups nor budgets, and does not wait for them.
"""
