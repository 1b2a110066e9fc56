"""Which platform to talk to: from arguments, the environment, or a file (ours or Flyte's), in this order."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import tomllib
from collections.abc import Mapping
from typing import Any

from volant import errors
from volant.client import yaml_subset

DEFAULT_ENDPOINT = "127.0.0.1:8089"
"""Where `volant up` listens."""
DEFAULT_CONSOLE = "http://127.0.0.1:8088"


@dataclasses.dataclass(frozen=True)
class PlatformConfig:
    """How to reach a platform."""

    endpoint: str = DEFAULT_ENDPOINT
    """host:port of its gRPC service."""
    insecure: bool = True
    """Without TLS."""
    ca_cert_file: str = ""
    """PEM file of the authorities to trust; the system's by default."""
    console: str = ""
    """URL of its web pages."""
    project: str = "flytesnacks"
    domain: str = "development"
    flyte_names: bool = False
    """Call services by Flyte's names, for a platform that is a real Flyte."""
    source: str = "defaults"
    """Where this came from, for people."""

    @property
    def console_url(self) -> str:
        """Where its pages are."""
        if self.console:
            return self.console.rstrip("/")
        if self.endpoint == DEFAULT_ENDPOINT:
            return DEFAULT_CONSOLE
        return f"{'http' if self.insecure else 'https'}://{self.endpoint}"


def config_file() -> pathlib.Path:
    """The user's own configuration file, whether it exists or not."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(pathlib.Path.home() / ".config")
    return pathlib.Path(base, "volant", "config.toml")


def load(file: str | pathlib.Path | None = None, environ: Mapping[str, str] = os.environ) -> PlatformConfig:
    """The configuration that applies here.

    Args:
        file: A file to read instead of searching for one; TOML, or Flyte's YAML.
        environ: The environment, whose variables win over the file.
    """
    found = running_platform() or PlatformConfig()
    for candidate in _candidates(file, environ):
        if candidate.is_file():
            found = read_file(candidate)
            break
        if file is not None:
            raise errors.DefinitionError(f"there is no configuration file {candidate}")
    return _with_environment(found, environ)


def running_platform(folder: pathlib.Path | None = None) -> PlatformConfig | None:
    """The platform that `volant up` says runs on this machine, in its usual data folder."""
    file = (folder or pathlib.Path.home() / ".volant") / "state.json"
    try:
        state = json.loads(file.read_text())
        if state["ready"]:
            return PlatformConfig(endpoint=state["grpc"][0], console=f"http://{state['http'][0]}", source=str(file))
    except (OSError, ValueError, LookupError, TypeError):
        pass
    return None


def _candidates(file: str | pathlib.Path | None, environ: Mapping[str, str]) -> list[pathlib.Path]:
    if file is not None:
        return [pathlib.Path(file)]
    named = [environ[name] for name in ("VOLANT_CONFIG", "FLYTECTL_CONFIG") if environ.get(name)]
    flyte = pathlib.Path.home() / ".flyte"
    return [*map(pathlib.Path, named), config_file(), flyte / "config.yaml"]


def read_file(file: pathlib.Path) -> PlatformConfig:
    """A configuration from a file."""
    text = file.read_text()
    if file.suffix == ".toml":
        try:
            given = tomllib.loads(text)
        except tomllib.TOMLDecodeError as cause:
            raise errors.DefinitionError(f"{file}: {cause}") from cause
        known = {field.name for field in dataclasses.fields(PlatformConfig)} - {"source"}
        for key in given:
            if key not in known:
                raise errors.DefinitionError(f"{file}: unknown key {key!r}; known are {', '.join(sorted(known))}")
        return PlatformConfig(**given, source=str(file))
    return _from_flyte(yaml_subset.parse(text, str(file)), str(file))


def _from_flyte(given: Mapping[str, Any], source: str) -> PlatformConfig:
    admin = given.get("admin") or {}
    console = (given.get("console") or {}).get("endpoint") or ""
    task = given.get("task") or {}
    return PlatformConfig(
        endpoint=_address(str(admin.get("endpoint") or DEFAULT_ENDPOINT)),
        insecure=bool(admin.get("insecure", False)),
        ca_cert_file=str(admin.get("caCertFilePath") or ""),
        console=str(console),
        project=str(task.get("project") or "flytesnacks"),
        domain=str(task.get("domain") or "development"),
        source=source,
    )


def _address(endpoint: str) -> str:
    return endpoint.removeprefix("dns:///").removeprefix("http://").removeprefix("https://").rstrip("/")


def _with_environment(found: PlatformConfig, environ: Mapping[str, str]) -> PlatformConfig:
    changes: dict[str, Any] = {}
    for field, names in {
        "endpoint": ("VOLANT_ENDPOINT", "FLYTE_PLATFORM_URL"),
        "insecure": ("VOLANT_INSECURE", "FLYTE_PLATFORM_INSECURE"),
        "ca_cert_file": ("VOLANT_CA_CERT_FILE", "FLYTE_PLATFORM_CA_CERT_FILE_PATH"),
        "console": ("VOLANT_CONSOLE", "FLYTE_PLATFORM_CONSOLE_ENDPOINT"),
        "project": ("VOLANT_PROJECT", "FLYTE_DEFAULT_PROJECT", "FLYTE_LOCAL_PROJECT"),
        "domain": ("VOLANT_DOMAIN", "FLYTE_DEFAULT_DOMAIN", "FLYTE_LOCAL_DOMAIN"),
    }.items():
        for name in names:
            value = environ.get(name)
            if value:
                changes[field] = value.lower() in {"true", "1", "yes"} if field == "insecure" else value
                break
    if "endpoint" in changes:
        changes["endpoint"] = _address(changes["endpoint"])
        if changes["endpoint"] != found.endpoint:
            changes.setdefault("console", "")
    return dataclasses.replace(found, **changes) if changes else found
