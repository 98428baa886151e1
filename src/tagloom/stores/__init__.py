"""The databases of an installation, SQLite and PostgreSQL, and the oracle in memory."""
