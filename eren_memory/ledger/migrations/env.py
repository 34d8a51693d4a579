"""Alembic's entry point; the ledger hands it an open connection."""

from alembic import context

from eren_memory.ledger.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
