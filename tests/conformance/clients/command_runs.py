"""Run command lines one after another, keep what they say, and judge it."""

import dataclasses
import json
import os
import pathlib
import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence

_LIMIT_S = 120
_TOLD = 160
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_NOISE = re.compile(r"^[\s╭╰│─┏┡└┃━┓┩┴┬┼+|-]*$")


@dataclasses.dataclass(frozen=True)
class Step:
    """One command and what must come of it."""

    words: str
    """The command line, with `{variables}`."""
    shows: str = ""
    """What its output must match somewhere, with `{variables}`."""
    exit: int = 0
    """Its exit code."""
    keeps: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Variables for later steps, from the output: name -> a pattern with one group."""
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What to write into the folder before it, with `{variables}`."""
    patience: float = 0
    """For so many seconds it is run again until it shows what it must."""
    stdin: str = ""
    remark: str = ""
    """What the table says beside it."""


@dataclasses.dataclass(frozen=True)
class Row:
    """What came of a step."""

    command: str
    exit: int
    said: str
    """The line that matters."""
    wrong: str
    """Why it is not as it must be; empty when it is."""
    remark: str = ""


class Warm:
    """A pyflyte that is imported once and forked for each command (warm_pyflyte.py)."""

    def __init__(self, program: pathlib.Path, environment: Mapping[str, str]) -> None:
        """`program` is the pyflyte of the environment that it stands for."""
        self.program = str(program)
        script = str(pathlib.Path(__file__).parent / "checks" / "warm_pyflyte.py")
        self._process = subprocess.Popen(
            [str(program.parent / "python"), script],
            env=client_environment(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, command: Sequence[str], folder: pathlib.Path) -> tuple[int, str]:
        """Run it in `folder`: the exit code, and what it said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        said = folder / ".said"
        asked = {"argv": list(command), "cwd": str(folder), "said": str(said)}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return code, _COLOUR.sub("", said.read_text(errors="replace"))

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=30)


def client_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a client's process gets: nothing of ours, wide lines, no colours."""
    made = {**os.environ, "COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb", **environment}
    made.pop("PYTHONPATH", None)
    return made


class Runner:
    """Runs steps in a folder."""

    def __init__(
        self,
        folder: pathlib.Path,
        programs: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
        variables: Mapping[str, str],
        warm: "Warm | None" = None,
    ) -> None:
        """`programs` says what the first word of a command stands for; `warm` runs one of them."""
        self.warm = warm
        self.folder = folder
        self.programs = programs
        self.environment = client_environment(environment)
        self.variables = dict(variables)

    def run(self, steps: Sequence[Step]) -> list[Row]:
        """All steps in order."""
        return [self._step(step) for step in steps]

    def _fill(self, text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: self.variables.get(found[1], found[0]), text)

    def _step(self, step: Step) -> Row:
        for name, text in step.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._fill(text))
        words = shlex.split(self._fill(step.words))
        command = [*self.programs.get(words[0], (words[0],)), *words[1:]]
        end = time.monotonic() + step.patience
        while True:
            code, said = self._call(command, self._fill(step.stdin))
            wrong = self._judge(step, code, said)
            if not wrong or time.monotonic() >= end:
                break
            time.sleep(0.5)
        for name, pattern in step.keeps.items():
            found = re.search(pattern, said)
            if found:
                self.variables[name] = found[1]
            else:
                wrong = wrong or f"no {pattern!r} in: {said[-500:]}"
        row = Row(step.words, code, self._telling(step, said), wrong, step.remark)
        print(
            f"{'FAIL' if wrong else 'ok  '} {step.words}\n       {row.said}{'  <- ' + wrong if wrong else ''}",
            flush=True,
        )
        return row

    def _call(self, command: Sequence[str], stdin: str) -> tuple[int, str]:
        if self.warm is not None and command[0] == self.warm.program:
            return self.warm.call(command, self.folder)
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_LIMIT_S,
                check=False,
                text=True,
            )
        except subprocess.TimeoutExpired:
            return -1, f"it did not end in {_LIMIT_S} s"
        return done.returncode, _COLOUR.sub("", done.stdout)

    def _judge(self, step: Step, code: int, said: str) -> str:
        if code != step.exit:
            return f"exit code {code} instead of {step.exit}: {said[-1500:]}"
        if step.shows and not re.search(self._fill(step.shows), said):
            return f"{step.shows!r} is not in: {said[-1500:]}"
        return ""

    def _telling(self, step: Step, said: str) -> str:
        lines = [line.strip(" |│") for line in said.splitlines() if not _NOISE.match(line)]
        text = lines[-1] if lines else ""
        for line in lines if step.shows else ():
            found = re.search(self._fill(step.shows), line)
            if found:
                # Of a long line, where the thing is.
                text = line if len(line) < _TOLD else f"… {line[found.start() : found.end() + 20]}"
                break
        for name, value in sorted(self.variables.items(), key=lambda item: -len(item[1])):
            if len(value) > 3:
                text = text.replace(value, f"{{{name}}}")
        text = text.replace(f"{pathlib.Path(__file__).parents[3]}/", "")
        text = re.sub(r"/tmp/[\w-]+", "/tmp/…", text)
        text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:…", text)
        text = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|\+[\d:]+)?", "<time>", text)
        return re.sub(r"\s+", " ", text)[:_TOLD]
