"""Settings from a file and the environment, and the sentences for what does not fit."""

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest

from volant_core import errors, settings


@dataclasses.dataclass(frozen=True)
class Inner:
    rows: int = 1
    ratio: float = 0.5
    names: tuple[str, ...] = ()
    wait: datetime.timedelta = datetime.timedelta(seconds=1)
    folder: Path | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Outer:
    on: bool = False
    kind: Literal["a", "b"] = "a"
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()


def load(file: Path | None = None, **environment: str) -> Outer:
    return settings.load(Outer, file=file, environment=environment)


def test_nothing_said_is_the_defaults() -> None:
    assert load(PATH="/bin", VOLANT_HOME="/somewhere") == Outer()


def test_a_file_and_the_environment_which_wins(tmp_path: Path) -> None:
    file = tmp_path / "volant.toml"
    file.write_text('on = true\n[inner]\nrows = 2\nratio = 1\nnames = ["x"]\nwait = 2.5\n[[many]]\nrows = 9\n')
    found = load(
        file, VOLANT_KIND="b", VOLANT_INNER__ROWS="3", VOLANT_INNER__FOLDER="/x", VOLANT_INNER__LABELS='{"a": "b"}'
    )
    inner = Inner(3, 1.0, ("x",), datetime.timedelta(seconds=2.5), Path("/x"), {"a": "b"})
    assert found == Outer(on=True, kind="b", inner=inner, many=(Inner(rows=9),))
    assert load(VOLANT_INNER__NAMES="a, b").inner.names == ("a", "b")
    assert load(VOLANT_INNER__FOLDER="").inner.folder is None


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("VOLANT_INNER__ROW", "1", r"no setting inner\.row; did you mean rows"),
        ("VOLANT_NOWHERE__ROWS", "1", "no setting nowhere; there are inner, kind"),
        ("VOLANT_INNER__ROWS", "many", "inner.rows must be a whole number, not 'many'"),
        ("VOLANT_INNER__ROWS", "1.5", "inner.rows must be a whole number"),
        ("VOLANT_ON", "maybe", "on must be true or false"),
        ("VOLANT_KIND", "c", "kind must be one of a, b"),
        ("VOLANT_INNER__LABELS", "nonsense", "inner.labels must be JSON"),
        ("VOLANT_INNER", "3", "inner must be a table"),
    ],
)
def test_what_does_not_fit(name: str, text: str, sentence: str) -> None:
    with pytest.raises(errors.FailedPreconditionError, match=sentence):
        load(**{name: text})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("on = 1.5", "on must be true or false"),
        ("inner = 3", "inner must be a table"),
        ("[inner]\nrows = 1.5", "inner.rows must be a whole number"),
        ("[inner]\nnames = 3", "inner.names must be a list"),
        ("on =", "not valid TOML"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "volant.toml"
    file.write_text(text)
    with pytest.raises(errors.FailedPreconditionError, match=sentence):
        load(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.FailedPreconditionError, match="can't read the settings"):
        load(tmp_path / "nowhere.toml")
