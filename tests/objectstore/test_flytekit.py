"""flytekit's two ways to upload (with a signed Content-MD5, and without any header), and its s3:// data."""

import base64
import datetime
import hashlib
import pathlib

import pytest
import requests

from volant_core import clock
from volant_core.blobstore import FolderStore, signing

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def blobs(server):
    endpoint = signing.Endpoint(server.url, "test-access", "test/secret+key")
    return FolderStore(server.root, "volant", presigner=signing.Presigner(endpoint, clock.SystemClock()))


def test_upload_with_signed_md5(blobs, s3):
    """FlyteRemote.upload_file: its own Content-Length and Content-MD5, and the headers that the answer names."""
    content = b"archive" * 10_000
    digest = hashlib.md5(content).digest()
    uri = blobs.join("flytesnacks", "development", "ABC=", "fast1.tar.gz")
    url, headers = blobs.sign_put(
        uri, HOUR, content_md5=digest, metadata={"flyteContentMD5": base64.b64encode(digest).decode()}
    )
    sent = {"Content-Length": str(len(content)), "Content-MD5": base64.b64encode(digest).decode()} | headers
    response = requests.put(url, data=content, headers=sent, timeout=10)
    assert response.status_code == 200
    head = s3.head_object(Bucket="volant", Key="flytesnacks/development/ABC=/fast1.tar.gz")
    assert head["Metadata"] == {"flytecontentmd5": base64.b64encode(digest).decode()}
    assert head["ETag"] == f'"{digest.hex()}"'
    assert requests.put(url, data=b"tampered", headers=sent | {"Content-Length": "8"}, timeout=10).status_code == 400


def test_upload_without_headers(blobs):
    """The data-frame path: a bare PUT of a stream."""
    uri = blobs.join("flytesnacks", "development", "00000", "frame")
    url, headers = blobs.sign_put(uri, HOUR)
    assert headers == {}
    with (pathlib.Path(__file__)).open("rb") as file:
        response = requests.put(url, data=file, timeout=10)
    assert response.status_code == 200
    got = requests.get(blobs.sign_get(uri, HOUR), timeout=10)
    assert got.content == pathlib.Path(__file__).read_bytes()


def test_file_access(server, tmp_path, monkeypatch, bucket):
    """flytekit's FileAccessProvider over s3fs, configured as the platform configures its tasks."""
    from flytekit.configuration import Config, DataConfig, S3Config
    from flytekit.core.data_persistence import FileAccessProvider

    config = Config(
        data_config=DataConfig(
            s3=S3Config(endpoint=server.url, access_key_id="test-access", secret_access_key="test/secret+key")
        )
    ).data_config
    access = FileAccessProvider(str(tmp_path / "sandbox"), f"s3://{bucket}/raw", data_config=config)
    source = tmp_path / "in" / "deep"
    source.mkdir(parents=True)
    (source / "a.txt").write_text("one")
    (source.parent / "b.txt").write_text("two")
    access.put_data(str(source / "a.txt"), f"s3://{bucket}/x/a.txt")
    access.get_data(f"s3://{bucket}/x/a.txt", str(tmp_path / "back.txt"))
    assert (tmp_path / "back.txt").read_text() == "one"
    access.put_data(str(source.parent), f"s3://{bucket}/folder", is_multipart=True)
    access.get_data(f"s3://{bucket}/folder", str(tmp_path / "out"), is_multipart=True)
    assert (tmp_path / "out" / "deep" / "a.txt").read_text() == "one"
    assert (tmp_path / "out" / "b.txt").read_text() == "two"
    assert access.exists(f"s3://{bucket}/x/a.txt")
    assert not access.exists(f"s3://{bucket}/x/never.txt")
