"""Numbered, forward-only migrations.

A service keeps them in its package's folder `migrations`: `0001_pre_what.sql`. *pre* must work while any version still
runs that knows the last *post* before it; *post* runs when those that don't know it are gone. All are run in one
transaction; a file is never edited after a release, and what ran is remembered by digest, so that an edit is noticed.
Beside the folder, `schema.sql` is what a database has after all of them; a test compares.
"""

import hashlib
import importlib.resources
import re

from volant_core import errors
from volant_core.postgres.database import Connection, Database

_NAME = re.compile(r"^(\d{4})_(pre|post)_[a-z0-9_]+\.sql$")
_SCHEMA = re.compile(r"^[a-z][a-z0-9_]*$")
_LOCK = 0x766F6C616E74  # any number, the same for all: one migrator at a time


def migrations(package: str) -> dict[str, str]:
    """A package's migrations in order, text by file name. ValueError for a name out of form or a number given twice."""
    folder = importlib.resources.files(package).joinpath("migrations")
    found: dict[str, str] = {}
    numbers: set[str] = set()
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if not item.name.endswith(".sql"):
            continue
        match = _NAME.match(item.name)
        if match is None:
            raise ValueError(f"{package}/migrations/{item.name}: the form is 0001_pre_what.sql or 0001_post_what.sql")
        if match[1] in numbers:
            raise ValueError(f"{package}/migrations/{item.name}: the number {match[1]} stands twice")
        numbers.add(match[1])
        found[item.name] = item.read_text()
    return found


async def migrate(database: Database, schema: str, package: str, *, only_pre: bool = False) -> list[str]:
    """Bring a schema up to date with a package's migrations; the names of those that were run.

    `only_pre` stops before the first *post* migration, while replicas of the version before may still run.
    FailedPreconditionError when the schema is from a newer version, or a migration was edited after it ran.
    """
    if not _SCHEMA.match(schema):
        raise ValueError(f"not a schema's name: {schema!r}")
    files = migrations(package)
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        done = await _recorded(connection, schema)
        _check(schema, files, done)
        ran: list[str] = []
        for name, text in files.items():
            if name in done:
                continue
            if only_pre and not _is_pre(name):
                break
            await connection.execute(f"SET LOCAL search_path TO {schema}")
            await connection.execute(text)
            insert = f"INSERT INTO {schema}.migrations (name, digest) VALUES ($1, $2)"  # noqa: S608 - checked above
            await connection.execute(insert, name, _digest(text))
            ran.append(name)
    return ran


async def check(database: Database, schema: str, package: str) -> list[str]:
    """Refuse a schema that a package's code can't work on; the *pre* migrations of newer versions that ran, if any.

    FailedPreconditionError when a migration has not run yet, was edited after it ran, or a *post* one of a newer
    version ran.
    """
    files = migrations(package)
    known = await database.fetch_value("SELECT to_regclass($1) IS NOT NULL", f"{schema}.migrations")
    rows = await database.fetch(f"SELECT name, digest FROM {schema}.migrations") if known else []  # noqa: S608 - ours
    done = {row["name"]: row["digest"] for row in rows}
    newer = sorted(set(done) - set(files))
    _check(schema, files, {name: digest for name, digest in done.items() if not _is_pre(name) or name in files})
    missing = [name for name in files if name not in done]
    if any(map(_is_pre, missing)):
        raise errors.FailedPreconditionError(
            f"the database's schema {schema} is older than this Volant: {missing[0]} has not run; run"
            " `volant-server migrate` with the same settings first"
        )
    return newer


def _is_pre(name: str) -> bool:
    match = _NAME.match(name)
    return match is not None and match[2] == "pre"


async def _recorded(connection: Connection, schema: str) -> dict[str, str]:
    """What ran in a schema, digest by name. The schema is made when missing."""
    known = await connection.fetch_value("SELECT to_regclass($1) IS NOT NULL", f"{schema}.migrations")
    if not known:
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        await connection.execute(
            f"CREATE TABLE {schema}.migrations"
            " (name text PRIMARY KEY, digest text NOT NULL, ran_at timestamptz NOT NULL DEFAULT now())"
        )
    rows = await connection.fetch(f"SELECT name, digest FROM {schema}.migrations")  # noqa: S608 - checked name
    return {row["name"]: row["digest"] for row in rows}


def _check(schema: str, files: dict[str, str], done: dict[str, str]) -> None:
    unknown = sorted(set(done) - set(files))
    if unknown:
        raise errors.FailedPreconditionError(
            f"the database's schema {schema} was made by a newer Volant (it ran {unknown[-1]}); start that version"
        )
    for name, digest in done.items():
        if digest != _digest(files[name]):
            raise errors.FailedPreconditionError(
                f"the migration {schema}/{name} is not the one that this database ran: it was made by another build of"
                " Volant; start that one, or start on an empty folder"
            )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
