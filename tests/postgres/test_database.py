"""The pool, on a real server."""

from volant_core.postgres import Database


async def test_a_fresh_database_answers(database: Database) -> None:
    assert await database.fetch_value("SELECT 1 + 1") == 2
