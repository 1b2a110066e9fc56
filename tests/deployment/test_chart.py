"""charts/volant: lint, what it renders for several values, and that Kubernetes' schemas take it.

Without helm, or without the validator of schemas, what needs them is skipped.
"""

import itertools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from volant_core import settings
from volant_engine.launchers.kubernetes.operators import jobs
from volant_server.settings import SERVICES, ServerSettings

CHART = Path(__file__).parents[2] / "charts" / "volant"
_MADE = Path(__file__).parents[2] / ".tools" / "bin" / "helm"  # by scripts/deployment_tools.sh
HELM = os.environ.get("VOLANT_TEST_HELM") or shutil.which("helm") or (str(_MADE) if _MADE.exists() else None)
KEYS = "blobs.accessKey=key,blobs.secretKey=secretsecret"
TRIAL = f"postgres.enabled=true,{KEYS}"
VALUES = {
    "trial": TRIAL,
    "outside": f"database.dsn=postgresql://db/volant,objectStore.enabled=false,blobs.endpoint=https://s3.example.org,{KEYS}",
    "secrets": "database.existingSecret=db,blobs.existingSecret=s3,peers.existingSecret=peers,networkPolicy.enabled=false",
    "all": f"{TRIAL},admin.autoscaling.enabled=true,engine.autoscaling.enabled=true,datacatalog.autoscaling.enabled=true,"
    "admin.service.type=NodePort,admin.service.nodePort=30080,objectStore.nodePort=30002,"
    "objectStore.storage.kind=hostPath,objectStore.storage.path=/srv/objects,postgres.storage.kind=emptyDir,"
    "image.pullSecrets[0].name=pull,"
    "settings.kubernetes.cpu=100m",
}
pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not here (VOLANT_TEST_HELM names it)")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(HELM), *arguments], capture_output=True, text=True, timeout=60, check=False)


def rendered(values: str) -> list[dict[str, Any]]:
    done = helm("template", "v", str(CHART), "--namespace", "space", "--kube-version", "1.34.0", "--set", values)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def of_kind(documents: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == kind}


@pytest.mark.parametrize("name", VALUES)
def test_lint(name: str) -> None:
    done = helm("lint", "--strict", str(CHART), "--set", VALUES[name])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", VALUES)
def test_kubernetes_takes_what_it_renders(name: str) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not here")
    for document in rendered(VALUES[name]):
        validate.validate(document, "1.34", strict=True)


def test_each_service_starts_by_its_command(tmp_path: Path) -> None:
    documents = rendered(TRIAL)
    pods = {**of_kind(documents, "Deployment"), **of_kind(documents, "StatefulSet")}
    text = of_kind(documents, "ConfigMap")["v-volant"]["data"]["volant.toml"]
    for service in SERVICES:
        (container,) = pods[f"v-volant-{service}"]["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["run", "--service", service, "--settings", "/etc/volant/volant.toml"]
        named = {one["name"]: one.get("value", "1") for one in container["env"]}
        told = _load(tmp_path, text, named)
        assert told.database.migrate, "no job does it for the chart's own database"
        assert told.peers.admin == "v-volant-admin.space.svc.cluster.local:8089"
        assert told.tasks.launcher == "kubernetes"
        assert told.kubernetes.copilot_image == container["image"], "it has the SDK, and is of the engine's own version"
        assert ("VOLANT_DATABASE__DSN" in named) == (service in {"admin", "datacatalog"}), "who needs the database"
        assert bool(told.peers.token) == (service != "objectstore"), "who proves itself, or is proven to"
    assert "v-volant-migrate" not in of_kind(documents, "Job")


def _load(folder: Path, text: str, environment: dict[str, str]) -> ServerSettings:
    file = folder / "volant.toml"
    file.write_text(text)
    return settings.load(ServerSettings, file=file, environment=environment)


def test_a_job_migrates_a_database_that_is_outside(tmp_path: Path) -> None:
    for name in ("outside", "secrets"):
        documents = rendered(VALUES[name])
        job = of_kind(documents, "Job")["v-volant-migrate"]
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["migrate", "--pre"]
        secret = container["env"][0]["valueFrom"]["secretKeyRef"]["name"]
        hooked = [
            one
            for one in of_kind(documents, "Secret").values()
            if "helm.sh/hook" in one["metadata"].get("annotations", {})
        ]
        assert secret == ("db" if name == "secrets" else hooked[0]["metadata"]["name"]), (
            "it is there before the release"
        )
        text = of_kind(documents, "ConfigMap")["v-volant"]["data"]["volant.toml"]
        assert not _load(tmp_path, text, {}).database.migrate
    assert not of_kind(rendered(VALUES["secrets"]), "Secret"), "no secret of ours beside yours"


def token_in(values: str) -> str:
    return str(of_kind(rendered(values), "Secret")["v-volant"]["stringData"]["peer-token"])


def test_the_token_of_peers() -> None:
    assert len(token_in(TRIAL)) == 40
    assert token_in(TRIAL) != token_in(TRIAL), "each installation has its own"
    assert token_in(f"{TRIAL},peers.token=given") == "given"
    documents = rendered(VALUES["secrets"])
    for service in ("admin", "datacatalog", "engine"):
        pod = of_kind(documents, "Deployment")[f"v-volant-{service}"]["spec"]["template"]
        (told,) = [
            one["valueFrom"] for one in pod["spec"]["containers"][0]["env"] if one["name"] == "VOLANT_PEERS__TOKEN"
        ]
        assert told == {"secretKeyRef": {"name": "peers", "key": "token"}}
    # All pods of one rendering are told of the same secret.
    sums = {
        one["spec"]["template"]["metadata"]["annotations"]["checksum/secret"]
        for one in of_kind(rendered(TRIAL), "Deployment").values()
    }
    assert len(sums) == 1


def test_least_privilege() -> None:
    documents = rendered(VALUES["all"])
    (role,) = of_kind(documents, "ClusterRole").values()
    allowed = {
        (group, resource, verb)
        for rule in role["rules"]
        for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }
    assert {resource for _, resource, _ in allowed} == {"pods", "pods/log", "podtemplates", "namespaces"}
    assert not any("*" in one for one in allowed)
    for pods in (of_kind(documents, "Deployment"), of_kind(documents, "StatefulSet")):
        for name, document in pods.items():
            spec = document["spec"]["template"]["spec"]
            assert spec["automountServiceAccountToken"] == (name == "v-volant-engine")
            assert spec["securityContext"]["runAsNonRoot"]
            for container in spec["containers"]:
                assert container["securityContext"]["readOnlyRootFilesystem"]
                assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                assert container["livenessProbe"]
                assert container["readinessProbe"]


def test_operators_that_the_settings_name_may_be_asked() -> None:
    for kind in jobs.JOBS.values():
        (role,) = of_kind(
            rendered(f"{TRIAL},settings.kubernetes.operators={{{kind.task_type}}}"), "ClusterRole"
        ).values()
        rule = role["rules"][-1]
        assert (rule["apiGroups"], rule["resources"]) == ([kind.group], [kind.plural])
        assert rule["verbs"] == ["get", "list", "watch", "create", "delete"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (f"{TRIAL},settings.kubernetes.operators={{flink}}", "operators"),
        (KEYS, "a PostgreSQL is needed"),
        ("postgres.enabled=true", "blobs.accessKey (or blobs.existingSecret) is needed"),
        (f"{TRIAL},objectStore.enabled=false", "blobs.endpoint: needed"),
        (f"{TRIAL},admin.replica=2", "additional properties 'replica' not allowed"),
        (f"{TRIAL},engine.launcher=docker", "launcher"),
        (f"{TRIAL},objectStore.storage.kind=hostPath", "storage.path: needed"),
    ],
)
def test_what_is_missing_is_a_sentence(values: str, sentence: str) -> None:
    done = helm("template", "v", str(CHART), "--kube-version", "1.34.0", "--set", values)
    assert done.returncode != 0
    assert sentence in done.stderr
