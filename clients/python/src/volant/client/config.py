"""Which platform to talk to.

Each setting comes from the first of these that has it: arguments (of `Remote`, or options of the command); our
variables (VOLANT_ENDPOINT …), then Flyte's (FLYTE_PLATFORM_URL …); the first file of VOLANT_CONFIG, FLYTECTL_CONFIG,
~/.config/volant/config.toml, ~/.flyte/config.yaml and ~/.flyte/config; the platform that `volant up` started here.
"""

from __future__ import annotations

import configparser
import dataclasses
import difflib
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


@dataclasses.dataclass(frozen=True)
class PlatformConfig:
    """How to reach a platform."""

    endpoint: str = DEFAULT_ENDPOINT
    """host:port of its gRPC service."""
    insecure: bool = True
    """Without TLS."""
    ca_cert_file: str = ""
    """PEM file of the authorities to trust; the system's by default."""
    skip_verify: bool = False
    """Trust whatever certificate the platform shows."""
    console: str = ""
    """URL of its web pages; the platform is asked for it by default."""
    project: str = "flytesnacks"
    domain: str = "development"
    flyte_names: bool = False
    """Call services by Flyte's names, for a platform that is a real Flyte."""
    source: str = "defaults"
    """Where this came from, for people."""

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return _is_local(self.endpoint)


def config_file() -> pathlib.Path:
    """The user's own configuration file, whether it exists or not."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(pathlib.Path.home() / ".config")
    return pathlib.Path(base, "volant", "config.toml")


def load(
    file: str | pathlib.Path | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    endpoint: str | None = None,
    insecure: bool | None = None,
    project: str | None = None,
    domain: str | None = None,
    flyte_names: bool | None = None,
) -> PlatformConfig:
    """The configuration that applies here.

    Args:
        file: A file to read instead of searching for one; TOML, or Flyte's YAML or INI.
        environ: The environment, whose variables win over the file.
        endpoint: Wins over both, as do the rest.
        insecure: Without TLS.
        project: The project.
        domain: The domain.
        flyte_names: Call services by Flyte's names.
    """
    found = running_platform() or PlatformConfig()
    for candidate, named_by in _candidates(file, environ):
        if candidate.is_file():
            found = read_file(candidate)
            break
        if named_by:
            raise errors.DefinitionError(f"there is no configuration file {candidate}, which {named_by} names")
    changes: dict[str, Any] = _from_environment(environ)
    source = "the environment" if "endpoint" in changes else ""
    given = {"insecure": insecure, "project": project, "domain": domain, "flyte_names": flyte_names}
    changes.update({key: value for key, value in given.items() if value is not None})
    if endpoint is not None:
        changes["endpoint"], source = endpoint, "an argument"
    if "endpoint" in changes:
        changes["endpoint"] = _address(changes["endpoint"])
        if not changes["endpoint"]:
            raise errors.DefinitionError("the endpoint is empty; write host:port")
        if changes["endpoint"] != found.endpoint:  # what was known of the other one does not hold for it
            other = {
                "console": "",
                "insecure": _is_local(changes["endpoint"]),
                "ca_cert_file": "",
                "skip_verify": False,
            }
            changes = {**other, "source": source, **changes}
    return dataclasses.replace(found, **changes) if changes else found


def _is_local(endpoint: str) -> bool:
    return endpoint.rpartition(":")[0].strip("[]") in {"localhost", "127.0.0.1", "::1"}


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


def _candidates(file: str | pathlib.Path | None, environ: Mapping[str, str]) -> list[tuple[pathlib.Path, str]]:
    """Files to try, and who names those that must be there."""
    if file is not None:
        return [(pathlib.Path(file).expanduser(), "an argument")]
    for name in ("VOLANT_CONFIG", "FLYTECTL_CONFIG"):
        if environ.get(name):
            return [(pathlib.Path(environ[name]).expanduser(), name)]
    flyte = pathlib.Path.home() / ".flyte"
    return [(config_file(), ""), (flyte / "config.yaml", ""), (flyte / "config", "")]


def read_file(file: pathlib.Path) -> PlatformConfig:
    """A configuration from a file."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as cause:
        raise errors.DefinitionError(f"cannot read {file}: {cause}") from cause
    if file.suffix == ".toml":
        return _from_toml(text, str(file))
    if file.suffix in {".yaml", ".yml"}:
        return _from_flyte(yaml_subset.parse(text, str(file)), str(file))
    return _from_flyte(_sections(text, str(file)), str(file))


def _from_toml(text: str, source: str) -> PlatformConfig:
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise errors.DefinitionError(f"{source}: {cause}") from cause
    known = {field.name: type(field.default) for field in dataclasses.fields(PlatformConfig) if field.name != "source"}
    for key, value in given.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            rest = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
            raise errors.DefinitionError(f"{source}: unknown key {key!r}; {rest}")
        if not isinstance(value, known[key]):
            wanted = "true or false" if known[key] is bool else "a text"
            raise errors.DefinitionError(f"{source}: {key} is {value!r}; expected {wanted}")
    given["endpoint"] = _address(str(given.get("endpoint") or DEFAULT_ENDPOINT))
    given.setdefault("insecure", _is_local(given["endpoint"]))
    return PlatformConfig(**given, source=source)


def _sections(text: str, source: str) -> dict[str, dict[str, Any]]:
    """Flyte's older files: INI, with [platform] and [credentials]."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as cause:
        raise errors.DefinitionError(f"{source}: {cause}") from cause
    platform = dict(parser["platform"]) if parser.has_section("platform") else {}
    admin = {
        "endpoint": platform.get("url", ""),
        "insecure": _is_true(platform.get("insecure", "")),
        "insecureSkipVerify": _is_true(platform.get("insecure_skip_verify", "")),
        "caCertFilePath": platform.get("ca_cert_file_path", ""),
    }
    return {"admin": admin, "console": {"endpoint": platform.get("console_endpoint", "")}}


def _from_flyte(given: Mapping[str, Any], source: str) -> PlatformConfig:
    sections: dict[str, Mapping[str, Any]] = {}
    for name in ("admin", "console", "task"):
        found = given.get(name) or {}
        if not isinstance(found, Mapping):
            raise errors.DefinitionError(f"{source}: {name} is {found!r}; expected settings below it")
        # flytectl's names know no case.
        sections[name] = {str(key).lower(): value for key, value in found.items()}
    admin, console, task = sections["admin"], sections["console"], sections["task"]
    endpoint = _address(str(admin.get("endpoint") or DEFAULT_ENDPOINT))
    return PlatformConfig(
        endpoint=endpoint,
        insecure=_is_true(admin.get("insecure", False)),
        ca_cert_file=str(admin.get("cacertfilepath") or ""),
        skip_verify=_is_true(admin.get("insecureskipverify", False)),
        console=_url(str(console.get("endpoint") or ""), insecure=_is_true(admin.get("insecure", False))),
        project=str(task.get("project") or "flytesnacks"),
        domain=str(task.get("domain") or "development"),
        source=source,
    )


def _is_true(value: Any) -> bool:
    return str(value).lower() in {"true", "1", "yes", "on"}


def _address(endpoint: str) -> str:
    """host:port of what was written, with a scheme or without; gRPC knows the usual port."""
    scheme, separator, rest = endpoint.strip().partition("://")
    place = (rest if separator else scheme).lstrip("/").partition("/")[0]
    is_without_port = ":" not in place.rpartition("]")[2]
    return f"{place}:80" if scheme == "http" and place and is_without_port else place


def _url(place: str, *, insecure: bool) -> str:
    """An address of pages; what has no scheme gets one, as dns:///host:port does."""
    if not place or place.startswith(("http://", "https://")):
        return place.rstrip("/")
    return f"{'http' if insecure else 'https'}://{place.removeprefix('dns:///').rstrip('/')}"


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for field, names in {
        "endpoint": ("VOLANT_ENDPOINT", "FLYTE_PLATFORM_URL"),
        "insecure": ("VOLANT_INSECURE", "FLYTE_PLATFORM_INSECURE"),
        "ca_cert_file": ("VOLANT_CA_CERT_FILE", "FLYTE_PLATFORM_CA_CERT_FILE_PATH"),
        "skip_verify": ("VOLANT_SKIP_VERIFY", "FLYTE_PLATFORM_INSECURE_SKIP_VERIFY"),
        "console": ("VOLANT_CONSOLE", "FLYTE_PLATFORM_CONSOLE_ENDPOINT"),
        "project": ("VOLANT_PROJECT", "FLYTE_DEFAULT_PROJECT", "FLYTE_LOCAL_PROJECT"),
        "domain": ("VOLANT_DOMAIN", "FLYTE_DEFAULT_DOMAIN", "FLYTE_LOCAL_DOMAIN"),
    }.items():
        value = next((environ[name] for name in names if environ.get(name)), "")
        if value:
            changes[field] = _is_true(value) if field in {"insecure", "skip_verify"} else value
    return changes
