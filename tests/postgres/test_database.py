"""The pool, on a real server: what becomes of errors, transactions, and listening across a lost connection."""

import asyncio

import pytest

from volant_core import errors
from volant_core.postgres import Database, UniqueViolationError


@pytest.fixture
async def notes(database: Database) -> Database:
    await database.execute("CREATE TABLE public.notes (id int PRIMARY KEY, text text)")
    return database


async def test_execute_counts_rows(notes: Database) -> None:
    assert await notes.execute("INSERT INTO public.notes VALUES (1, 'a'), (2, 'b')") == 2
    assert await notes.execute("UPDATE public.notes SET text = 'c' WHERE id = 3") == 0


async def test_a_transaction_commits_whole_or_not_at_all(notes: Database) -> None:
    async def insert_then_fail() -> None:
        async with notes.transaction() as connection:
            await connection.execute("INSERT INTO public.notes VALUES (1, 'a')")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await insert_then_fail()
    assert await notes.fetch("SELECT * FROM public.notes") == []


async def test_a_key_given_twice_names_its_constraint(notes: Database) -> None:
    await notes.execute("INSERT INTO public.notes VALUES (1, 'a')")
    with pytest.raises(UniqueViolationError) as caught:
        await notes.execute("INSERT INTO public.notes VALUES (1, 'b')")
    assert caught.value.constraint == "notes_pkey"


@pytest.mark.parametrize("arguments", [(1, "nul \x00 inside"), (2**40, "too large")])
async def test_what_can_not_be_stored_is_the_callers_fault(notes: Database, arguments: tuple[int, str]) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="can't be stored"):
        await notes.execute("INSERT INTO public.notes VALUES ($1, $2)", *arguments)


async def test_a_lost_connection_is_unavailable_and_the_pool_heals(notes: Database) -> None:
    async def lose() -> None:
        async with notes.transaction() as connection:
            pid = await connection.fetch_value("SELECT pg_backend_pid()")
            await notes.execute("SELECT pg_terminate_backend($1)", pid)
            await connection.fetch_value("SELECT 1")

    with pytest.raises(errors.UnavailableError, match="try again"):
        await lose()
    assert await notes.fetch_value("SELECT 1") == 1


async def test_a_wrong_address_is_a_sentence() -> None:
    with pytest.raises(errors.FailedPreconditionError, match="address"):
        await Database.connect("nonsense://x")
    with pytest.raises(errors.UnavailableError, match="can't connect"):
        await Database.connect("postgresql://x@/x?host=/nowhere")


async def test_listening_survives_a_lost_connection(database: Database) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    await database.listen("news", heard.put_nowait)
    await database.notify("news", "one")
    assert await heard.get() == "one"
    await database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'"
    )
    assert await heard.get() == "", "told that some may have been missed"
    await database.notify("news", "two")
    assert await heard.get() == "two"
