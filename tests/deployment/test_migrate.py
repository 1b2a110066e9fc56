"""`volant-server migrate`, and servers that only check."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import run_sql

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("VOLANT_")}
PORTS = {f"VOLANT_LISTEN__{name}": "127.0.0.1:0" for name in ("GRPC", "HTTP")}
BLOBS = {
    "VOLANT_BLOBS__ENDPOINT": "http://127.0.0.1:1",
    "VOLANT_DATABASE__MIGRATE": "false",
    "VOLANT_PEERS__TOKEN": "token",
}


def volant_server(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "volant_server", *arguments],
        capture_output=True, text=True, timeout=60, check=False, env={**ENVIRONMENT, **PORTS, **environment},
    )  # fmt: skip


async def test_a_job_migrates_and_servers_check(postgres_server, tmp_path: Path) -> None:
    await run_sql(postgres_server.dsn, "CREATE DATABASE unmigrated")
    try:
        secret = tmp_path / "dsn"
        secret.write_text(postgres_server.dsn_of("unmigrated") + "\n")
        told = {"VOLANT_DATABASE__DSN_FILE": str(secret)}
        refused = volant_server("run", "--service", "admin", **told, **BLOBS)
        assert refused.returncode == 1
        assert "schema admin is older than this Volant: 0001_pre_entities.sql has not run" in refused.stderr
        assert "volant-server migrate" in refused.stderr
        first = volant_server("migrate", "--pre", **told)
        assert first.returncode == 0, first.stderr
        assert "ran admin/0001_pre_entities.sql" in first.stdout
        assert "ran datacatalog/0001_pre_catalog.sql" in first.stdout
        again = volant_server("migrate", **told)
        assert (again.returncode, again.stdout) == (0, "the database is up to date\n")
        await run_sql(
            postgres_server.dsn_of("unmigrated"),
            "INSERT INTO admin.migrations (name, digest) VALUES ('9999_post_later.sql', '')",
        )
        newer = volant_server("run", "--service", "admin", **told, **BLOBS)
        assert newer.returncode == 1
        assert "was made by a newer Volant (it ran 9999_post_later.sql)" in newer.stderr
    finally:
        await run_sql(postgres_server.dsn, "DROP DATABASE unmigrated WITH (FORCE)")


def test_a_secret_that_can_not_be_read_is_a_sentence() -> None:
    said = volant_server("migrate", VOLANT_DATABASE__DSN_FILE="/nowhere/dsn")
    assert said.returncode == 1
    assert "VOLANT_DATABASE__DSN_FILE: can't read /nowhere/dsn" in said.stderr
