"""Numbered, forward-only migrations.

A service keeps them in its package's folder `migrations`: `0001_pre_what.sql`. *pre* must work while the version before
still runs; *post* runs when it is gone. Each is one transaction; a file is never edited after a release.
"""

import importlib.resources
import re

from volant_core.postgres.database import Database

_NAME = re.compile(r"^(\d{4})_(pre|post)_[a-z0-9_]+\.sql$")
_LOCK = 0x766F6C616E74  # any number, the same for all: one migrator at a time


async def migrate(database: Database, schema: str, package: str) -> list[str]:
    """Bring a schema up to date with a package's migrations; the names of those that were run."""
    files = sorted(
        (
            item
            for item in importlib.resources.files(package).joinpath("migrations").iterdir()
            if _NAME.match(item.name)
        ),
        key=lambda item: item.name,
    )
    ran: list[str] = []
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {schema}.migrations"
            " (name text PRIMARY KEY, ran_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {row["name"] for row in await connection.fetch(f"SELECT name FROM {schema}.migrations")}  # noqa: S608
        for file in files:
            if file.name in done:
                continue
            await connection.execute(f"SET LOCAL search_path TO {schema}")
            await connection.execute(file.read_text())
            await connection.execute(f"INSERT INTO {schema}.migrations (name) VALUES ($1)", file.name)  # noqa: S608
            ran.append(file.name)
    return ran
