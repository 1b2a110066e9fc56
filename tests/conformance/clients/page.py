"""The tables of docs/compatibility.md, made of what the runs left in `.venv-clients/results`."""

import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import environments

PAGE = environments.ROOT / "docs" / "compatibility.md"
_RESULTS = environments.FOLDER / "results"
_SIGNS = {"ok": "✓", "absent": "–", "failed": "**fails**"}


def keep(client: environments.Client, results: list[dict[str, Any]]) -> None:
    """Remember what a client's run gave, of each check the last."""
    known = (
        {one["check"]: one for one in json.loads(_path(client.name).read_text())} if _path(client.name).exists() else {}
    )
    for gone in ("all", "server log"):
        known.pop(gone, None)
    known.update({one["check"]: one for one in results})
    keep_rows(client.name, list(known.values()))


def keep_rows(name: str, rows: list[dict[str, Any]]) -> None:
    """Remember what a program's run gave."""
    _RESULTS.mkdir(parents=True, exist_ok=True)
    (_RESULTS / f"{name}.json").write_text(json.dumps(rows, indent=1))


def write() -> None:
    """Put what is remembered into the page; what was not run here stays as it is."""
    clients = [client for client in environments.CLIENTS if _path(client.name).exists()]
    if {client.minor for client in clients} == {client.minor for client in environments.CLIENTS}:
        _replace("matrix", _matrix(clients))
    for name in ("pyflyte", "flytectl", "grpcurl", "plugins"):
        if _path(name).exists():
            _replace(name, _commands(json.loads(_path(name).read_text())))


def _path(name: str) -> pathlib.Path:
    return _RESULTS / f"{name}.json"


def _replace(name: str, lines: Iterable[str]) -> None:
    text = PAGE.read_text()
    start, end = f"<!-- {name}: written by the run -->", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{start}\n\n" + "\n".join(lines) + f"\n\n{end}{after}")


def _matrix(clients: Sequence[environments.Client]) -> list[str]:
    results = {client.name: json.loads(_path(client.name).read_text()) for client in clients}
    outcomes = {name: {one["check"]: one for one in given} for name, given in results.items()}
    heads = [f"{client.flytekit}<br>Python {client.python}" for client in clients]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---|" * len(clients)]
    checks = list(dict.fromkeys(one["check"] for given in results.values() for one in given))
    for check in checks:
        row = [outcomes[client.name].get(check) for client in clients]
        label = check.replace("_", " ")
        remarks = {one["detail"] for one in row if one is not None and one["outcome"] == "ok"}
        same = len(remarks) == 1
        if same:
            label += f" ({remarks.pop()})".replace(" ()", "")
        cells = [_SIGNS["ok"] if same and one and one["outcome"] == "ok" else _cell(one) for one in row]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def _cell(one: dict[str, Any] | None) -> str:
    if one is None:
        return ""
    remark = str(one["detail"]).replace("|", "\\|").replace("\n", " ")
    if one["outcome"] == "failed":
        remark = remark[-200:]
    return f"{_SIGNS[one['outcome']]} {remark}".strip()


def _commands(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| command | came | |", "|---|---|---|"]
    for row in rows:
        said = str(row["said"]).replace("|", "\\|").replace("`", "'")[:110]
        ended = f" (exit {row['exit']})" if row["exit"] else ""
        verdict = f"**wrong**: {row['wrong'][:100]}" if row["wrong"] else "✓"
        remark = f" {row['remark']}" if row["remark"] else ""
        command = row["command"].replace("|", "\\|")
        lines.append(f"| `{command}` | {said}{ended} | {verdict}{remark} |")
    return lines
