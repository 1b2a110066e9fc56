"""`schema.sql` of each service is what its migrations add up to."""

import importlib.resources

import asyncpg
import pytest
from tests.conftest import SCHEMAS, run_sql

_WHAT = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
            a.attstorage, a.attcompression, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')""",
    "tables": "SELECT relname, relkind, reloptions FROM pg_class WHERE relnamespace = $1::regnamespace",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = $1::regnamespace""",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = $1::regnamespace::text",
    "functions": "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = $1::regnamespace",
    "triggers": """
        SELECT c.relname, pg_get_triggerdef(t.oid)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = $1::regnamespace AND NOT t.tgisinternal""",
}


async def described(dsn: str, schema: str) -> dict[str, set[tuple[object, ...]]]:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"DROP TABLE IF EXISTS {schema}.migrations")
        found = {}
        for what, query in _WHAT.items():
            rows = await connection.fetch(query, schema)
            found[what] = {tuple(tuple(value) if isinstance(value, list) else value for value in row) for row in rows}
        return found
    finally:
        await connection.close()


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_schema_is_the_sum_of_the_migrations(postgres_server, postgres_dsn: str, schema: str) -> None:
    name = f"read_{schema}"
    await run_sql(postgres_server.dsn, f"CREATE DATABASE {name}")
    try:
        dsn = postgres_server.dsn_of(name)
        text = importlib.resources.files(SCHEMAS[schema]).joinpath("schema.sql").read_text()
        await run_sql(dsn, f"CREATE SCHEMA {schema}; SET search_path TO {schema}; {text}")
        read, migrated = await described(dsn, schema), await described(postgres_dsn, schema)
    finally:
        await run_sql(postgres_server.dsn, f"DROP DATABASE {name} WITH (FORCE)")
    assert migrated["columns"], "the test looks at nothing"
    for what, wanted in migrated.items():
        differences = (
            f"missing: {sorted(map(str, wanted - read[what]))}; too much: {sorted(map(str, read[what] - wanted))}"
        )
        assert read[what] == wanted, f"volant_{schema}/schema.sql, {what}: {differences}"
