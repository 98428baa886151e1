"""The entry point of Alembic: runs the migrations on the connection that was passed to `upgrade`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
