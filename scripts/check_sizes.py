"""Keep files and functions readable: at most 500 lines a file and 60 a function (design, house rule 4).

Whoever needs an exception adds it below with the reason; the list must stay short.
"""

import ast
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE_LINES, FUNCTION_LINES, EXCEPTIONS_AT_MOST = 500, 60, 12

EXCEPTIONS: dict[str, str] = {}
"""`path` or `path:function` -> reason."""


def oversized(path: pathlib.Path) -> dict[str, str]:
    """What is too long in one file, by the name under which it can be excepted."""
    text = path.read_text()
    name = str(path.relative_to(ROOT))
    found: dict[str, str] = {}
    lines = text.count("\n")
    if lines > FILE_LINES:
        found[name] = f"{lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            docstring = ast.get_docstring(node, clean=False)
            if docstring:
                length -= docstring.count("\n") + 1
            if length > FUNCTION_LINES:
                found[f"{name}:{node.name}"] = f"{length} lines"
    return found


def main() -> None:
    """Run the command."""
    folders = ["services", "clients/python/src", "scripts", "bench", "examples", "tests"]
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(oversized(path))
    wrong = [f"{name}: {size}" for name, size in found.items() if name not in EXCEPTIONS]
    wrong += [f"{name}: excepted, but not too long any more" for name in EXCEPTIONS if name not in found]
    if len(EXCEPTIONS) > EXCEPTIONS_AT_MOST:
        wrong.append(f"more than {EXCEPTIONS_AT_MOST} exceptions")
    if wrong:
        sys.exit(
            f"at most {FILE_LINES} lines a file, {FUNCTION_LINES} a function without its docstring:\n"
            + "\n".join(wrong)
        )


if __name__ == "__main__":
    main()
