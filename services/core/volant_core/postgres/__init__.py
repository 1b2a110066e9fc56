"""PostgreSQL: the only place that imports asyncpg. Pool, queries from .sql files, migrations, the embedded server."""

from volant_core.postgres.database import Connection, Database, Record, UniqueViolationError
from volant_core.postgres.migrations import check, migrate
from volant_core.postgres.queries import load_queries

__all__ = ["Connection", "Database", "Record", "UniqueViolationError", "check", "load_queries", "migrate"]
