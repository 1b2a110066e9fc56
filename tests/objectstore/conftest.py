"""A real server on a loopback port, and clients that know nothing of it."""

import contextlib
import pathlib
import subprocess
import sys

import boto3
import botocore.config
import minio
import pytest
import s3fs

ACCESS_KEY, SECRET_KEY = "test-access", "test/secret+key"
SERVE = pathlib.Path(__file__).parent / "serve.py"


class Server:
    """The object store in a process of its own."""

    def __init__(self, root, *, fsync):
        self.root = root
        self.fsync = "fsync" if fsync else "no"
        self.port = 0
        self.start()

    def start(self):
        arguments = [sys.executable, str(SERVE), str(self.root), str(self.port), self.fsync]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def boto3(self, **config):
        chosen = botocore.config.Config(retries={"max_attempts": 1}, **{"signature_version": "s3v4"} | config)
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
            config=chosen,
        )

    def minio(self, **arguments):
        keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY} | arguments
        return minio.Minio(f"127.0.0.1:{self.port}", secure=False, **keys)

    def s3fs(self, **arguments):
        return s3fs.S3FileSystem(
            key=ACCESS_KEY,
            secret=SECRET_KEY,
            endpoint_url=self.url,
            skip_instance_cache=True,
            use_listings_cache=False,
            **arguments,
        )


@contextlib.contextmanager
def serving(root, *, fsync=False):
    server = Server(root, fsync=fsync)
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture
def own_server(tmp_path):
    with serving(tmp_path / "objects", fsync=True) as server:
        yield server


@pytest.fixture(scope="module")
def s3(server):
    client = server.boto3()
    yield client
    client.close()


@pytest.fixture
def bucket(s3, request):
    import hashlib

    name = "t-" + hashlib.md5(request.node.name.encode()).hexdigest()[:12]
    s3.create_bucket(Bucket=name)
    return name
