"""SQL files: their form, and that every statement of every service fits the migrated schemas."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from volant_core.postgres import load_queries

SERVICES = Path(__file__).parents[2] / "services"


def sql_files() -> Iterator[tuple[str, str]]:
    """Package and file name of each .sql file that holds queries."""
    for path in sorted(SERVICES.glob("*/volant_*/**/*.sql")):
        if path.parent.name != "migrations" and path.name != "schema.sql":
            service = next(parent for parent in path.parents if parent.parent.parent == SERVICES)
            yield ".".join(path.parent.relative_to(service.parent).parts), path.name


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / f"sql_{tmp_path.name}"
    folder.mkdir()
    (folder / "__init__.py").touch()
    importlib.invalidate_caches()
    yield folder
    sys.modules.pop(folder.name, None)


def test_statements_by_name(package: Path) -> None:
    (package / "queries.sql").write_text("-- one\n-- The first.\nSELECT 1;\n\n-- two\n-- The second.\nSELECT\n  2;\n")
    assert load_queries(package.name) == {"one": "SELECT 1", "two": "SELECT\n  2"}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1;",
        "-- one\nSELECT 1;",
        "-- one\n-- First.\nSELECT 1;\n-- one\n-- Again.\nSELECT 2;",
        "-- one\n-- First.\n\n-- two\n-- Second.\nSELECT 2;",
        "-- one\n-- First.\nSELECT 1;\nSELECT 2;\n",
    ],
)
def test_files_out_of_form_are_refused(package: Path, text: str) -> None:
    (package / "queries.sql").write_text(text)
    with pytest.raises(ValueError, match=r"queries\.sql"):
        load_queries(package.name)


async def test_every_query_prepares(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    wrong: list[str] = []
    try:
        for package, file in sql_files():
            for name, statement in load_queries(package, file).items():
                try:
                    await connection.prepare(statement)
                except asyncpg.PostgresError as error:
                    wrong.append(f"{package}/{file} {name}: {error}")
    finally:
        await connection.close()
    assert not wrong, "\n".join(wrong)
