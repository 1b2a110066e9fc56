"""The minio client and s3fs against the server."""

import datetime
import io
import os
import urllib.error
import urllib.request

import minio.commonconfig
import minio.deleteobjects
import minio.error
import pytest


def code(caught):
    return caught.value.code


def test_minio(server, bucket):
    client = server.minio()  # asks for the region
    data = os.urandom(200_000)
    client.put_object(bucket, "a/b c", io.BytesIO(data), len(data), "text/x", {"colour": "blue"})
    found = client.stat_object(bucket, "a/b c")
    assert (found.size, found.content_type, found.metadata["x-amz-meta-colour"]) == (len(data), "text/x", "blue")
    assert abs(found.last_modified - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)
    response = client.get_object(bucket, "a/b c", offset=5, length=10)
    assert response.read() == data[5:15]
    response.release_conn()
    client.copy_object(bucket, "copy", minio.commonconfig.CopySource(bucket, "a/b c"))
    assert [row.object_name for row in client.list_objects(bucket, recursive=True)] == ["a/b c", "copy"]
    assert [row.object_name for row in client.list_objects(bucket)] == ["copy", "a/"]
    with pytest.raises(minio.error.S3Error) as caught:
        client.get_object(bucket, "nothing")
    assert code(caught) == "NoSuchKey"
    with pytest.raises(minio.error.S3Error) as caught:
        client.stat_object(bucket, "nothing")
    assert code(caught) == "NoSuchKey"
    objects = [minio.deleteobjects.DeleteObject(name) for name in ("a/b c", "copy")]
    assert list(client.remove_objects(bucket, objects)) == []
    client.remove_bucket(bucket)
    assert not client.bucket_exists(bucket)
    with pytest.raises(minio.error.S3Error) as caught:
        client.put_object(bucket, "k", io.BytesIO(b""), 0)
    assert code(caught) == "NoSuchBucket"


def test_minio_multipart_and_presigned(server, bucket):
    client = server.minio(region="us-east-1")
    data = os.urandom(11 << 20)
    client.put_object(bucket, "big", io.BytesIO(data), -1, part_size=5 << 20)
    with urllib.request.urlopen(client.presigned_get_object(bucket, "big")) as answer:
        assert answer.read() == data
    url = client.presigned_put_object(bucket, "put")
    urllib.request.urlopen(urllib.request.Request(url, data=b"1", method="PUT")).close()
    assert client.stat_object(bucket, "put").size == 1


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"access_key": "nobody"}, "InvalidAccessKeyId"),
        ({"secret_key": "wrong"}, "SignatureDoesNotMatch"),
        ({"access_key": None, "secret_key": None}, "AccessDenied"),
    ],
)
def test_minio_with_wrong_keys(server, bucket, keys, expected):
    client = server.minio(region="us-east-1", **keys)
    for call in (
        lambda: client.get_object(bucket, "k"),
        lambda: client.put_object(bucket, "k", io.BytesIO(b"x"), 1),
        client.list_buckets,
        lambda: client.make_bucket("another"),
        lambda: client.remove_object(bucket, "k"),
    ):
        with pytest.raises(minio.error.S3Error) as caught:
            call()
        assert code(caught) == expected


def test_any_region_is_fine(server, bucket):
    client = server.minio(region="eu-central-1")
    client.put_object(bucket, "k", io.BytesIO(b"x"), 1)
    assert client.stat_object(bucket, "k").size == 1


def test_s3fs(server, bucket):
    fs = server.s3fs()
    data = os.urandom(12 << 20)
    with fs.open(f"{bucket}/deep/er/file.bin", "wb") as file:
        file.write(data)
    with fs.open(f"{bucket}/deep/er/file.bin", "rb") as file:
        file.seek(6 << 20)
        assert file.read(100) == data[6 << 20 : (6 << 20) + 100]
    fs.pipe({f"{bucket}/p/{n}": bytes([n]) for n in range(20)})
    assert sorted(fs.ls(f"{bucket}/p")) == sorted(f"{bucket}/p/{n}" for n in range(20))
    assert fs.cat([f"{bucket}/p/7", f"{bucket}/p/8"])[f"{bucket}/p/7"] == b"\x07"
    assert fs.find(bucket) == sorted([*(f"{bucket}/p/{n}" for n in range(20)), f"{bucket}/deep/er/file.bin"])
    assert fs.isdir(f"{bucket}/deep")
    assert fs.isfile(f"{bucket}/p/3")
    assert not fs.exists(f"{bucket}/nothing")
    assert fs.info(f"{bucket}/p/3")["size"] == 1
    fs.copy(f"{bucket}/deep/er/file.bin", f"{bucket}/copy")
    assert fs.checksum(f"{bucket}/copy")
    assert fs.cat_file(f"{bucket}/copy", start=10, end=20) == data[10:20]
    assert fs.du(bucket) == 2 * len(data) + 20
    fs.rm(f"{bucket}/p", recursive=True)
    assert not fs.exists(f"{bucket}/p")
    with pytest.raises(FileNotFoundError):
        fs.cat(f"{bucket}/p/3")
    with pytest.raises(FileNotFoundError):
        fs.ls("no-such-bucket")


def test_s3fs_folders_there_and_back(server, bucket, tmp_path):
    fs = server.s3fs()
    source = tmp_path / "source"
    for name in ("a.txt", "sub/b.txt", "sub/sub/c.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    fs.put(str(source), f"{bucket}/folder", recursive=True)
    fs.get(f"{bucket}/folder", str(tmp_path / "back"), recursive=True)
    assert {p.relative_to(tmp_path / "back"): p.read_text() for p in (tmp_path / "back").rglob("*.txt")} == {
        p.relative_to(source): p.read_text() for p in source.rglob("*.txt")
    }
