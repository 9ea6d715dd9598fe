"""Alembic's entry: the connection is the caller's."""

from alembic import context

from onseju.projections.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
