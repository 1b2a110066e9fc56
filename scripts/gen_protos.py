"""Generate the Python package `volantidl` from `protos/` into `clients/python/gen`, replacing it whole.

    python scripts/gen_protos.py           write clients/python/gen
    python scripts/gen_protos.py --check   exit 1 when the committed code is not what would be written

Needs the oldest grpcio-tools that we support: generated code refuses a runtime older than its generator.
"""

import argparse
import filecmp
import importlib.resources
import pathlib
import shutil
import sys
import tempfile

import google.api
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GEN = ROOT / "clients" / "python" / "gen"


def generate(out: pathlib.Path) -> None:
    """Write the package `volantidl` into the folder `out`."""
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    google_api = pathlib.Path(next(iter(google.api.__path__))).parent.parent
    files = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("volantidl/**/*.proto"))
    arguments = [
        "protoc",
        f"-I{PROTOS}",
        f"-I{well_known}",
        f"-I{google_api}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet:{out}",
        f"--plugin=protoc-gen-mypy={pathlib.Path(sys.executable).parent / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={pathlib.Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}",
        *files,
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc refused the protos")
    package = out / "volantidl"
    (package / "py.typed").touch()
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").touch()
    # A file without services still gets an empty gRPC module: leave those out.
    for stub in package.rglob("*_pb2_grpc.py"):
        proto = PROTOS / stub.relative_to(out).with_name(stub.name.replace("_pb2_grpc.py", ".proto"))
        if "\nservice " not in proto.read_text():
            stub.unlink()
            stub.with_suffix(".pyi").unlink(missing_ok=True)


def names(root: pathlib.Path) -> set[pathlib.Path]:
    """The files below a folder, compiled ones left aside."""
    return {p.relative_to(root) for p in root.rglob("*") if p.is_file() and p.suffix != ".pyc"}


def stale(fresh: pathlib.Path) -> set[pathlib.Path]:
    """The files in which the committed code is not what was generated into `fresh`."""
    return {
        name
        for name in names(fresh) | names(GEN)
        if not (
            (fresh / name).exists() and (GEN / name).exists() and filecmp.cmp(fresh / name, GEN / name, shallow=False)
        )
    }


def replace(fresh: pathlib.Path) -> None:
    """Make the committed code what is in `fresh`. Touches only what differs: processes may be reading the rest."""
    for name in stale(fresh):
        target = GEN / name
        if not (fresh / name).exists():
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(target.name + "~")
        shutil.copyfile(fresh / name, beside)
        beside.replace(target)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = pathlib.Path(folder)
        generate(fresh)
        if check:
            if different := stale(fresh):
                sys.exit(f"clients/python/gen is stale in {', '.join(map(str, sorted(different)))}: run `make gen`")
            return
        replace(fresh)


if __name__ == "__main__":
    main()
