"""`volant doctor`: a look at the surroundings."""

from __future__ import annotations

import functools
import importlib.metadata
import pathlib
import platform as machine
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

import click

from volant import errors
from volant.cli import live, platform
from volant.client import config, proxy_store, remote

_OPTIONAL = {
    "cloudpickle": "values of any type",
    "pandas": "data frames",
    "pyarrow": "data frames in Parquet files",
    "fsspec": "gs:// and other addresses",
    "pyyaml": "inputs in YAML files",
}
_SHADOWED = ("volant.py", "flytekit.py", "click.py", "grpc.py", "typing.py", "types.py", "random.py", "logging.py")


class _Checks:
    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self.healthy = True

    def look(self, what: str, see: Callable[[], str], *, needed: bool = True) -> bool:
        """Note what is seen, or why it cannot be."""
        try:
            self.rows.append({"check": what, "ok": "yes", "found": see()})
        except (errors.VolantError, importlib.metadata.PackageNotFoundError, OSError) as error:
            self.rows.append({"check": what, "ok": "no" if needed else "-", "found": str(error)})
            self.healthy = self.healthy and not needed
            return False
        return True


@click.command()
@platform.options
def doctor(platform_: remote.Remote, *, form: str) -> None:
    """Look at what is needed to work, and say what is missing and what to do."""
    checks = _Checks()
    checks.look("Python", lambda: f"{machine.python_version()} ({sys.executable})")
    checks.look("volant", lambda: importlib.metadata.version("volant"))
    checks.look("this folder", _no_shadows)
    checks.look("configuration", lambda: _configuration(platform_.config))
    checks.look("proxies", lambda: _proxies(platform_.config))
    if checks.look("platform", lambda: f"{platform_.version()} at {platform_.config.endpoint}"):
        checks.look("pages", lambda: _pages(platform_.pages))
        if checks.look("project", lambda: _project(platform_)):
            checks.look("object store", lambda: _upload(platform_.store))
    for package, purpose in _OPTIONAL.items():
        checks.look(f"{package} (for {purpose})", functools.partial(importlib.metadata.version, package), needed=False)
    if form == "json":
        platform.show(checks.rows, form)
    else:
        width = max(len(row["check"]) for row in checks.rows)
        marks = {"yes": live.paint("✔", fg="green"), "no": live.paint("✘", fg="red"), "-": "-"}
        for row in checks.rows:
            click.echo(f"{marks[row['ok']]} {row['check']:<{width}}  {row['found']}")
    if not checks.healthy:
        raise click.exceptions.Exit(platform.FAILED)


def _no_shadows() -> str:
    here = [name for name in _SHADOWED if pathlib.Path(name).is_file()]
    if here:
        raise errors.DefinitionError(f"{here[0]} hides the module that others import by this name; rename it")
    return str(pathlib.Path.cwd())


def _configuration(found: config.PlatformConfig) -> str:
    how = "without TLS" if found.insecure else "with TLS"
    return f"{found.endpoint}, {how}, from {found.source}"


def _proxies(found: config.PlatformConfig) -> str:
    """Uploads and downloads go through a proxy where one is named, even to this machine."""
    named = {key: value for key, value in urllib.request.getproxies().items() if key in {"http", "https"}}
    if not named:
        return "none"
    host = found.endpoint.rpartition(":")[0].strip("[]") or found.endpoint
    if urllib.request.proxy_bypass(host):
        return f"{', '.join(named.values())}, but not for {host}"
    if host in {"localhost", "127.0.0.1", "::1"}:
        raise errors.DefinitionError(
            f"what is asked of {host} goes through {', '.join(named.values())}; set no_proxy={host}"
        )
    return f"{', '.join(named.values())}"


def _pages(url: str) -> str:
    try:
        with urllib.request.urlopen(f"{url}/healthcheck", timeout=10) as answer:  # noqa: S310 - the configured address
            return f"{url} ({answer.status})"
    except urllib.error.HTTPError as cause:
        raise errors.RemoteError(f"{url}/healthcheck says {cause.code}") from cause
    except OSError as cause:
        raise errors.RemoteError(f"{url} does not answer ({cause}); name the pages' address as console") from cause


def _project(platform_: remote.Remote) -> str:
    platform_.check_project()
    return f"{platform_.config.project}/{platform_.config.domain}"


def _upload(store: proxy_store.ProxyStore) -> str:
    uri = f"{store.prefix}/doctor"
    store.write(uri, b"volant")
    if store.read(uri) != b"volant":
        raise errors.StorageError(f"{uri} does not hold what was written")
    return f"writing and reading below {store.prefix}"
