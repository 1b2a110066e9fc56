"""What lies in the folder: attributes beside content, crashes, and files that others write."""

import errno
import hashlib
import os
import pathlib

import pytest

from volant_core import errors
from volant_core.blobstore import FolderStore, files, folder

BLUE = files.Attributes(content_type="text/blue", metadata={"colour": "blue"})
RED = files.Attributes(metadata={"colour": "red"})


@pytest.fixture
def objects(tmp_path):
    return files.ObjectFiles(tmp_path)


def names(objects):
    return sorted(path.name for path in pathlib.Path(objects.root, "volant").rglob("*") if path.is_file())


def test_only_attributes_worth_a_file_have_one(objects):
    objects.write("volant", "a", b"1")
    assert names(objects) == ["a"]
    objects.write("volant", "a", b"2", BLUE)
    assert names(objects) == ["a", "a~m"]
    objects.delete("volant", "a")
    assert names(objects) == []


@pytest.mark.parametrize("moment", ["before the sidecar", "before the content"])
def test_a_crash_leaves_the_old_object_whole(objects, monkeypatch, moment):
    objects.write("volant", "a", b"old", BLUE)
    rename = os.rename

    def crash(source, target):
        if target.endswith("~m") == (moment == "before the sidecar"):
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", crash)
    with pytest.raises(KeyboardInterrupt):
        objects.write("volant", "a", b"new", RED)
    monkeypatch.undo()
    assert (objects.read("volant", "a"), objects.find("volant", "a").attributes) == (b"old", BLUE)
    objects.write("volant", "a", b"new", RED)
    assert (objects.read("volant", "a"), objects.find("volant", "a").attributes) == (b"new", RED)


def test_content_that_others_wrote_has_no_attributes(objects):
    objects.write("volant", "a", b"ours", BLUE)
    path = pathlib.Path(objects.path("volant", "a"))
    path.with_name("a~t0").write_bytes(b"them")
    path.with_name("a~t0").rename(path)
    found = objects.find("volant", "a")
    assert (found.attributes, files.etag_of(found)) == (files.DEFAULT, hashlib.md5(b"them").hexdigest())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"entries": 1}', '{"entries": [{}]}', "\x00", "null"])
def test_a_broken_sidecar_costs_the_attributes_only(objects, text):
    objects.write("volant", "a", b"1", BLUE)
    pathlib.Path(objects.path("volant", "a") + "~m").write_text(text)
    assert objects.find("volant", "a").attributes == files.DEFAULT
    objects.write("volant", "a", b"2", RED)
    assert objects.find("volant", "a").attributes == RED


def test_a_copied_folder_keeps_attributes(objects, tmp_path_factory):
    import shutil

    objects.write("volant", "a/b", b"1" * (2 << 20), BLUE)
    other = tmp_path_factory.mktemp("other") / "objects"
    shutil.copytree(objects.root, other)
    found = files.ObjectFiles(other).find("volant", "a/b")
    assert found.attributes.metadata == {"colour": "blue"}
    assert files.etag_of(found) == hashlib.md5(b"1" * (2 << 20)).hexdigest()


def test_etags_follow_quick_rewrites(objects):
    path = pathlib.Path(objects.path("volant", "a"))
    objects.write("volant", "a", b"0000")
    for number in range(200):
        data = f"{number:04}".encode()
        with path.open("r+b") as file:  # in place, within one tick of the file system's clock
            file.write(data)
        assert files.etag_of(objects.find("volant", "a")) == hashlib.md5(data).hexdigest()


def test_what_is_no_object_is_not_listed(objects):
    objects.write("volant", "d/a", b"1", BLUE)
    base = pathlib.Path(objects.root, "volant")
    (base / "d~" / "b~t123").write_bytes(b"a write that was killed")
    (base / "empty~" / "er~").mkdir(parents=True)
    os.close(os.open(os.fsencode(base) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    assert [key for key, _ in objects.walk("volant")] == ["d/a"]
    assert [key for key, _ in objects.walk("volant", delimiter="/")] == ["d/"]


async def test_large_content_in_place_of_a_folder(tmp_path):
    """A folder named as an object's file would be: not ours, and said so."""
    store = FolderStore(tmp_path, "volant")
    (tmp_path / "volant" / "a").mkdir(parents=True)
    with pytest.raises(errors.UnavailableError, match="directory"):
        await store.put("s3://volant/a", b"1")
    with pytest.raises(errors.UnavailableError, match="directory"):
        await store.get("s3://volant/a")
    await store.close()


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, errors.ResourceExhaustedError),
        (errno.EDQUOT, errors.ResourceExhaustedError),
        (errno.EFBIG, errors.ResourceExhaustedError),
        (errno.ENAMETOOLONG, errors.InvalidArgumentError),
        (errno.EACCES, errors.UnavailableError),
        (errno.EIO, errors.UnavailableError),
    ],
)
def test_refusals(number, expected):
    assert type(folder.refusal("s3://b/k", OSError(number, os.strerror(number)))) is expected
