"""Try every client against an embedded platform whose tasks run with that client's interpreter, and write down what came.

    matrix.py [--client NAME]… [--check CHECK]… [--write]

With --write, the table in docs/compatibility.md is made anew, of the last run of each check on this machine. The exit
code is 1 when a check failed or a client could not be had.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import environments
import page
import platform_up

HERE = pathlib.Path(__file__).parent
_LIMIT_S = 1500


def run_client(client: environments.Client, checks: list[str]) -> list[dict[str, str]]:
    """What each check of one client gave."""
    interpreter = environments.make(client)
    with platform_up.running(interpreter, HERE / "flows") as platform:
        environment = {**os.environ, **platform.environment()}
        environment.pop("PYTHONPATH", None)
        command = [str(interpreter), str(HERE / "checks" / "run_checks.py"), *checks]
        results = []
        with (platform.folder / "client.log").open("w+") as log:
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("RESULT "):
                    result = json.loads(line.removeprefix("RESULT "))
                    results.append(result)
                    print(f"{client.name:24} {result['outcome']:7} {result['check']} {result['seconds']} s", flush=True)
                    if result["outcome"] == "failed":
                        print(result["detail"][-1200:], flush=True)
            process.wait(timeout=_LIMIT_S)
            log.seek(0)
            if process.returncode:
                results.append({"check": "all", "outcome": "failed", "detail": log.read()[-3000:]})
                print(results[-1]["detail"], flush=True)
        for line in platform.log().splitlines():
            if '"level": "error"' in line:
                results.append({"check": "server log", "outcome": "failed", "detail": line})
                print(line, flush=True)
    return results


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", action="append", default=[])
    parser.add_argument("--check", action="append", default=[])
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    unavailable: dict[str, str] = {}
    tried: list[dict[str, str]] = []
    for client in environments.CLIENTS:
        if arguments.client and client.name not in arguments.client:
            continue
        try:
            results = run_client(client, arguments.check)
            tried += results
            page.keep(client, results)
        except environments.UnavailableError as error:
            unavailable[client.name] = str(error)
            print(f"{client.name}: {error}")
    if arguments.write:
        page.write()
    failed = sum(result["outcome"] == "failed" for result in tried)
    print(f"{len(tried)} checks, {failed} failed, {len(unavailable)} clients left out")
    return 1 if failed or unavailable else 0


if __name__ == "__main__":
    sys.exit(main())
