"""The platform's bucket as files: the layout's vectors, and s3fs's behaviour as flytekit, pandas and pyarrow use it."""

import asyncio
import importlib.util
import json
import pathlib
import sys

import fsspec
import pytest

from volant_engine.launchers import process

REGISTRY = sys.modules["fsspec.registry"]._registry
VECTORS = json.loads((pathlib.Path(__file__).parent.parent / "blobstore" / "layout.json").read_text())


@pytest.fixture
def module(monkeypatch, tmp_path):
    monkeypatch.setenv("VOLANT_STORE_ROOT", str(tmp_path))
    monkeypatch.setenv("VOLANT_STORE_BUCKET", "volant")
    (tmp_path / "volant").mkdir()
    before = dict(REGISTRY)
    for name in ("folder_files", "folder_s3"):
        path = pathlib.Path(process.__file__).parent / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"volant_{name}", path)
        loaded = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, f"volant_{name}", loaded)
        spec.loader.exec_module(loaded)
    yield loaded
    loaded.FolderS3FileSystem.clear_instance_cache()
    REGISTRY.clear()
    REGISTRY.update(before)


@pytest.fixture
def fs(module):
    return fsspec.filesystem("s3")


@pytest.mark.parametrize("vector", VECTORS["files"], ids=lambda vector: ascii(vector["key"])[:30])
def test_layout(module, vector):
    assert module.files.path_of(vector["key"]) == vector["path"]


def test_it_is_what_fsspec_gives(module, fs):
    assert isinstance(fs, module.FolderS3FileSystem)


def test_bytes(fs, tmp_path):
    fs.pipe("s3://volant/a/b.txt", b"hello")
    assert (tmp_path / "volant/a~/b.txt").read_bytes() == b"hello"
    assert fs.cat("s3://volant/a/b.txt") == b"hello"
    assert fs.cat_file("volant/a/b.txt", start=1, end=3) == b"el"
    assert fs.cat_file("volant/a/b.txt", start=-2) == b"lo"
    assert fs.info("s3://volant/a/b.txt")["size"] == 5
    assert fs.checksum("s3://volant/a/b.txt") == int("5d41402abc4b2a76b9719d911017c592", 16)
    fs.touch("s3://volant/a/empty")
    assert fs.cat("s3://volant/a/empty") == b""
    assert sorted(path.name for path in (tmp_path / "volant/a~").iterdir()) == ["b.txt", "empty"]


def test_absent(fs):
    assert not fs.exists("s3://volant/x")
    assert not fs.isdir("s3://volant/x")
    for use in (fs.info, fs.cat, fs.open, fs.ls):
        with pytest.raises(FileNotFoundError):
            use("s3://volant/x")


def test_open(fs, tmp_path):
    with fs.open("s3://volant/f.txt", "w") as file:
        file.write("one\n")
        assert not (tmp_path / "volant/f.txt").exists()
    with fs.open("s3://volant/f.txt", "a") as file:
        file.write("two\n")
    with fs.open("s3://volant/f.txt", "r") as file:
        assert file.read() == "one\ntwo\n"
    with fs.open("s3://volant/f.txt", "rb") as file:
        file.seek(4)
        assert file.read() == b"two\n"
    with pytest.raises(RuntimeError, match="half"), fs.open("s3://volant/half", "wb") as file:  # noqa: PT012
        file.write(b"x")
        raise RuntimeError("half")
    assert not fs.exists("s3://volant/half")
    with pytest.raises(FileExistsError), fs.open("s3://volant/f.txt", "xb") as file:
        file.write(b"x")


def test_folders(fs, tmp_path):
    for key in ("d/1.txt", "d/sub/2.txt", "d/sub/deep/3.txt", "d"):
        fs.pipe(f"s3://volant/{key}", key.encode())
    assert fs.ls("s3://volant/d") == ["volant/d/1.txt", "volant/d/sub"]
    assert [info["type"] for info in fs.ls("s3://volant/d", detail=True)] == ["file", "directory"]
    assert fs.find("s3://volant/d/sub") == ["volant/d/sub/2.txt", "volant/d/sub/deep/3.txt"]
    assert fs.glob("s3://volant/d/*/*.txt") == ["volant/d/sub/2.txt"]
    assert fs.glob("s3://volant/d/**/*.txt") == ["volant/d/1.txt", "volant/d/sub/2.txt", "volant/d/sub/deep/3.txt"]
    assert fs.isdir("s3://volant/d/sub")
    assert fs.isfile("s3://volant/d/1.txt")
    assert fs.exists("s3://volant")
    assert fs.info("s3://volant/d/sub")["type"] == "directory"
    assert fs.du("s3://volant/d/sub") == len("d/sub/2.txt" + "d/sub/deep/3.txt")
    assert next(iter(fs.walk("s3://volant/d"))) == ("volant/d", ["sub"], ["1.txt"])
    fs.rm("s3://volant/d/sub", recursive=True)
    assert fs.find("s3://volant/d") == ["volant/d/1.txt"]
    assert not (tmp_path / "volant/d~/sub~").exists()
    fs.rm_file("s3://volant/d")
    assert fs.cat("s3://volant/d/1.txt") == b"d/1.txt"


def test_up_and_down(fs, tmp_path):
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    (source / "one.txt").write_text("1")
    (source / "below" / "two.html").write_text("2")
    fs.put(f"{source}/", "s3://volant/up/", recursive=True, chunksize=25)
    assert fs.find("s3://volant/up") == ["volant/up/below/two.html", "volant/up/one.txt"]
    assert fs.info("s3://volant/up/below/two.html")["ContentType"] == "text/html"
    target = tmp_path / "target"
    fs.get("s3://volant/up/", f"{target}/", recursive=True)
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*.*")) == ["below/two.html", "one.txt"]
    fs.get("s3://volant/up/one.txt", str(tmp_path / "single.txt"))
    assert (tmp_path / "single.txt").read_text() == "1"
    fs.cp("s3://volant/up/below/two.html", "s3://volant/copy.html")
    assert fs.info("s3://volant/copy.html")["ContentType"] == "text/html"
    fs.mv("s3://volant/copy.html", "s3://volant/moved.html")
    assert not fs.exists("s3://volant/copy.html")


def test_metadata(fs, tmp_path):
    file = tmp_path / "data"
    file.write_text("x")
    fs.put_file(str(file), "s3://volant/noted", metadata={"Owner": "me", "flyte-execution-name": "e"})
    assert fs.metadata("s3://volant/noted") == {"owner": "me"}
    fs.put_file(str(file), "s3://volant/plain", metadata={"flyte-execution-name": "e"})
    assert not (tmp_path / "volant/plain~m").exists()


async def test_the_store_reads_what_it_writes(fs, tmp_path):
    from volant_core.blobstore import FolderStore

    file = tmp_path / "page.html"
    file.write_text("x")
    fs.put_file(str(file), "s3://volant/page", metadata={"owner": "me"})
    store = FolderStore(tmp_path, "volant")
    found = await store.head("s3://volant/page")
    assert (found.content_type, dict(found.metadata), found.size) == ("text/html", {"owner": "me"}, 1)
    await store.close()


async def test_from_a_loop(module):
    """As flytekit uses it: an instance for the loop that runs."""
    fs = fsspec.filesystem("s3", asynchronous=True, loop=asyncio.get_running_loop())
    await fs._pipe_file("s3://volant/a", b"x")
    assert await fs._exists("s3://volant/a")
    assert await fs._cat_file("s3://volant/a") == b"x"
    assert [info["name"] for info in await fs._ls("s3://volant", detail=True)] == ["volant/a"]
    assert await fs._find("s3://volant") == ["volant/a"]
    await fs._rm("s3://volant/a")
    assert not await fs._exists("s3://volant/a")


def test_no_thread_for_the_own_bucket(fs):
    import threading

    before = threading.active_count()
    fs.pipe("s3://volant/a", b"x")
    fs.find("s3://volant")
    assert threading.active_count() == before


def test_pandas_and_pyarrow(fs):
    import pandas
    import pyarrow.dataset
    import pyarrow.parquet

    frame = pandas.DataFrame({"a": [1, 2, 3]})
    frame.to_parquet("volant/t/frame.parquet", filesystem=fs)
    assert pandas.read_parquet("volant/t/frame.parquet", filesystem=fs).equals(frame)
    frame.to_csv("s3://volant/t/frame.csv", index=False)
    assert pandas.read_csv("s3://volant/t/frame.csv").equals(frame)
    table = pyarrow.parquet.read_table("volant/t/frame.parquet", filesystem=fs)
    assert table.num_rows == 3
    pyarrow.dataset.write_dataset(table, "volant/set", filesystem=fs, format="parquet")
    assert pyarrow.dataset.dataset("volant/set", filesystem=fs, format="parquet").count_rows() == 3


def test_other_buckets_are_s3fs_s(fs, monkeypatch):
    import s3fs

    asked = []

    async def info(self, path, **_):
        asked.append(path)
        return {"name": path, "size": 1, "type": "file"}

    monkeypatch.setattr(s3fs.S3FileSystem, "_info", info)
    assert fs.open  # the instance is made
    assert asyncio.run(s3fs.S3FileSystem._info(fs, "s3://other/x"))["size"] == 1
    assert asked == ["s3://other/x"]
