"""Migrations: order, repetition, phases, edits, two at once."""

import asyncio
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from volant_core import errors
from volant_core.postgres import Database, check, migrate


class Package:
    def __init__(self, root: Path) -> None:
        self.name = f"migrated_{root.name}".replace("-", "_")
        self.folder = root / self.name / "migrations"
        self.folder.mkdir(parents=True)
        (root / self.name / "__init__.py").touch()
        importlib.invalidate_caches()

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Package(tmp_path)
    yield made
    sys.modules.pop(made.name, None)


async def test_each_runs_once_in_order(database: Database, package: Package) -> None:
    package.write("0002_pre_more.sql", "ALTER TABLE one ADD COLUMN b int;")
    package.write("0001_pre_first.sql", "CREATE TABLE one (a int); CREATE INDEX ON one (a);")
    assert await migrate(database, "thing", package.name) == ["0001_pre_first.sql", "0002_pre_more.sql"]
    assert await migrate(database, "thing", package.name) == []
    assert await database.fetch("SELECT a, b FROM thing.one") == []


async def test_post_waits(database: Database, package: Package) -> None:
    package.write("0001_pre_first.sql", "CREATE TABLE one (a int)")
    package.write("0002_post_drop.sql", "DROP TABLE one")
    package.write("0003_pre_later.sql", "CREATE TABLE two (a int)")
    assert await migrate(database, "thing", package.name, only_pre=True) == ["0001_pre_first.sql"]
    assert await migrate(database, "thing", package.name) == ["0002_post_drop.sql", "0003_pre_later.sql"]


async def test_a_broken_one_leaves_nothing(database: Database, package: Package) -> None:
    package.write("0001_pre_first.sql", "CREATE TABLE one (a int)")
    package.write("0002_pre_broken.sql", "CREATE TABLE two (")
    with pytest.raises(Exception, match="syntax error"):
        await migrate(database, "thing", package.name)
    assert await database.fetch_value("SELECT to_regclass('thing.one')") is None


async def test_an_edited_or_newer_one_is_refused(database: Database, package: Package) -> None:
    package.write("0001_pre_first.sql", "CREATE TABLE one (a int)")
    package.write("0002_pre_second.sql", "CREATE TABLE two (a int)")
    await migrate(database, "thing", package.name)
    package.write("0001_pre_first.sql", "CREATE TABLE one (a bigint)")
    with pytest.raises(errors.FailedPreconditionError, match=r"0001_pre_first\.sql is not the one"):
        await migrate(database, "thing", package.name)
    package.write("0001_pre_first.sql", "CREATE TABLE one (a int)")
    (package.folder / "0002_pre_second.sql").unlink()
    with pytest.raises(errors.FailedPreconditionError, match="newer Volant"):
        await migrate(database, "thing", package.name)


@pytest.mark.parametrize("names", [["1_pre_x.sql"], ["0001_x.sql"], ["0001_pre_a.sql", "0001_pre_b.sql"]])
async def test_names_out_of_form_are_refused(database: Database, package: Package, names: list[str]) -> None:
    for name in names:
        package.write(name, "SELECT 1")
    with pytest.raises(ValueError, match=r"form|twice"):
        await migrate(database, "thing", package.name)


async def test_two_at_once_do_not_meet(postgres_dsn: str, package: Package) -> None:
    package.write("0001_pre_first.sql", "CREATE TABLE one (a int)")
    databases = [await Database.connect(postgres_dsn) for _ in range(2)]
    ran = await asyncio.gather(*(migrate(database, "thing", package.name) for database in databases))
    assert sorted(ran) == [[], ["0001_pre_first.sql"]]
    for database in databases:
        await database.close()


async def test_servers_check_instead(database: Database, package: Package) -> None:
    package.write("0001_pre_first.sql", "CREATE TABLE one (a int)")
    with pytest.raises(
        errors.FailedPreconditionError, match=r"older than this Volant: 0001_pre_first\.sql has not run"
    ):
        await check(database, "thing", package.name)
    await migrate(database, "thing", package.name)
    assert await check(database, "thing", package.name) == []
    package.write("0002_post_drop.sql", "DROP TABLE one")
    assert await check(database, "thing", package.name) == [], "a post migration may wait"
    package.write("0003_pre_later.sql", "CREATE TABLE two (a int)")
    with pytest.raises(errors.FailedPreconditionError, match=r"0002_post_drop\.sql has not run"):
        await check(database, "thing", package.name)


async def test_the_version_before_works_on_what_is_newer(database: Database, package: Package) -> None:
    package.write("0001_pre_first.sql", "CREATE TABLE one (a int)")
    package.write("0002_pre_second.sql", "CREATE TABLE two (a int)")
    await migrate(database, "thing", package.name)
    (package.folder / "0002_pre_second.sql").unlink()
    assert await check(database, "thing", package.name) == ["0002_pre_second.sql"], "pre: it may"
    package.write("0002_pre_second.sql", "CREATE TABLE two (a int)")
    package.write("0003_post_third.sql", "DROP TABLE two")
    await migrate(database, "thing", package.name)
    (package.folder / "0003_post_third.sql").unlink()
    with pytest.raises(errors.FailedPreconditionError, match=r"newer Volant \(it ran 0003_post_third\.sql\)"):
        await check(database, "thing", package.name)
    package.write("0003_post_third.sql", "DROP TABLE two")
    package.write("0001_pre_first.sql", "CREATE TABLE one (a bigint)")
    with pytest.raises(errors.FailedPreconditionError, match=r"0001_pre_first\.sql is not the one"):
        await check(database, "thing", package.name)
