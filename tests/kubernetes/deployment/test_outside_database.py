"""A second installation, on a PostgreSQL that is not the chart's: a job migrates it before an install and an upgrade."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "volant"
MIGRATIONS = ROOT / "services" / "admin" / "volant_admin" / "migrations"
LABELS = {"app": "outside-postgres"}
pytestmark = pytest.mark.timeout(600)


class Outside:
    """A namespace with a database, and the chart installed on it with as little as can be."""

    def __init__(self, installed) -> None:
        self.installed = installed
        self.namespace = f"{installed.namespace}-outside"
        self.where = ("--namespace", self.namespace)

    def values(self) -> str:
        name, _, tag = self.installed.task_image.replace("-task:", "-server:").rpartition(":")
        small = {"replicas": 1, "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}}
        return yaml.safe_dump(
            {
                "image": {"name": name, "tag": tag},
                "database": {"dsn": "postgresql://volant:volant@outside-postgres:5432/volant"},
                "blobs": {"accessKey": "key", "secretKey": "secretsecret"},
                "objectStore": {"storage": {"kind": "emptyDir"}, "resources": small["resources"]},
                "admin": small,
                "datacatalog": small,
                "engine": {**small, "launcher": "process"},
            }
        )

    def helm(self, *words: str) -> str:
        values = self.values()
        line = [self.installed.helm, *words, *self.where, "--values", "-", "--wait", "--timeout", "4m"]
        done = subprocess.run(line, input=values, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}\n{self.events()}"
        return done.stdout

    def kubectl(self, *words: str) -> str:
        return str(self.installed.kubectl(*self.where, *words))

    def events(self) -> str:
        return self.kubectl("get", "events", "--sort-by=.lastTimestamp")[-3000:]

    def start_database(self) -> None:
        image = self.installed.task_image.replace("-task:", "-postgres:")
        probe = {"tcpSocket": {"port": 5432}, "periodSeconds": 1, "failureThreshold": 120}
        container = {
            "name": "postgres",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "env": [{"name": "POSTGRES_PASSWORD", "value": "volant"}],
            "readinessProbe": probe,
            "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
        }
        documents = [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "outside-postgres", "labels": LABELS},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "outside-postgres"},
                "spec": {"selector": LABELS, "ports": [{"port": 5432}]},
            },
        ]
        self.installed.run("kubectl", "create", "namespace", self.namespace)
        line = ["kubectl", *self.where, "apply", "-f", "-"]
        subprocess.run(line, input=yaml.safe_dump_all(documents), text=True, check=True, timeout=60)
        self.kubectl("wait", "--for=condition=Ready", "pod/outside-postgres", "--timeout=180s")

    def sql(self, statement: str) -> str:
        line = ("psql", "--host", "127.0.0.1", "--username", "volant", "--tuples-only", "--no-align", "-c", statement)
        return self.kubectl("exec", "outside-postgres", "--", "env", "PGPASSWORD=volant", *line, "volant")

    def token(self) -> str:
        secret = json.loads(self.kubectl("get", "secret", "volant", "-o", "json"))
        return base64.b64decode(secret["data"]["peer-token"]).decode()


@pytest.fixture
def outside(installed) -> Iterator[Outside]:
    made = Outside(installed)
    try:
        made.start_database()
        yield made
    finally:
        subprocess.run([installed.helm, "uninstall", "volant", *made.where], capture_output=True, check=False)
        subprocess.run(["kubectl", "delete", "namespace", made.namespace, "--wait=false"], check=False)


def test_a_job_migrates_before_install_and_upgrade(outside: Outside) -> None:
    outside.helm("install", "volant", str(CHART))
    ran = outside.sql("SELECT name FROM admin.migrations").split()
    assert set(ran) == {file.name for file in MIGRATIONS.glob("*.sql")}
    # Servers are ready only on a database that the job made: they migrate nothing themselves.
    assert "migrate = false" in outside.kubectl("get", "configmap", "volant", "-o", "jsonpath={.data}")
    assert outside.kubectl("get", "jobs", "-o", "name") == "", "a job that did its work is gone"
    before = outside.token()

    outside.helm("upgrade", "volant", str(CHART), "--set", "admin.env[0].name=UPGRADED,admin.env[0].value=yes")
    assert outside.token() == before, "engines of both versions are known"
    finished = outside.kubectl(
        "exec", "deploy/volant-admin", "--", "volant-server", "migrate", "--settings", "/etc/volant/volant.toml"
    )
    assert "the database is up to date" in finished
    outside.installed.run(outside.installed.helm, "rollback", "volant", *outside.where, "--wait", "--timeout", "4m")
    assert outside.token() == before
