"""What was answered is there after kill -9; what was not is whole or absent; a full disk is a sentence."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import threading

import botocore.exceptions
import pytest


def survivors(server):
    client = server.boto3()
    rows = [
        row
        for page in client.get_paginator("list_objects_v2").paginate(Bucket="volant")
        for row in page.get("Contents", [])
    ]
    return {row["Key"]: client.get_object(Bucket="volant", Key=row["Key"]) for row in rows}


def test_kill_while_writing(own_server):
    answered = {}
    stop = threading.Event()
    enough = threading.Semaphore(0)

    def write(worker):
        client = own_server.boto3()
        number = 0
        while not stop.is_set():
            key, data = f"w{worker}/{number}", os.urandom(1 if number % 2 else 300_000)
            try:
                client.put_object(Bucket="volant", Key=key, Body=data, Metadata={"number": str(number)})
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                return
            answered[key] = (data, number)
            enough.release()
            number += 1

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(write, worker) for worker in range(3)]
        for _ in range(60):
            assert enough.acquire(timeout=30)
        own_server.kill()
        stop.set()
        for future in futures:
            future.result()
    own_server.start()
    there = survivors(own_server)
    for key, (data, number) in answered.items():
        answer = there.pop(key)
        assert answer["Body"].read() == data
        assert answer["Metadata"] == {"number": str(number)}
    assert len(there) <= 3, "at most one unanswered put a worker"
    assert list((own_server.root / ".incoming").iterdir()) == []


def test_uploads_in_parts_survive(own_server):
    client = own_server.boto3()
    named = {"Bucket": "volant", "Key": "k"}
    named["UploadId"] = client.create_multipart_upload(**named, Metadata={"k": "v"})["UploadId"]
    data = os.urandom(5 << 20)
    etags = [client.upload_part(**named, PartNumber=1, Body=data)["ETag"]]
    own_server.kill()
    own_server.start()
    client = own_server.boto3()
    etags.append(client.upload_part(**named, PartNumber=2, Body=b"tail")["ETag"])
    parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
    client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    own_server.kill()
    own_server.start()
    answer = own_server.boto3().get_object(Bucket="volant", Key="k")
    assert (answer["Body"].read(), answer["Metadata"]) == (data + b"tail", {"k": "v"})


def test_files_written_past_the_server_are_objects(own_server):
    client = own_server.boto3()
    client.put_object(Bucket="volant", Key="a/b", Body=b"first", Metadata={"k": "v"})
    path = own_server.root / "volant" / "a~" / "b"
    assert path.read_bytes() == b"first"
    draft = path.with_name("b~t1")
    draft.write_bytes(b"other")
    draft.rename(path)
    answer = client.get_object(Bucket="volant", Key="a/b")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"other", {})
    (own_server.root / "volant" / "a~" / "big").write_bytes(b"x" * (2 << 20))
    listed = {row["Key"]: row for row in client.list_objects_v2(Bucket="volant")["Contents"]}
    assert listed["a/big"]["Size"] == 2 << 20
    assert listed["a/big"]["ETag"] == client.head_object(Bucket="volant", Key="a/big")["ETag"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MiB, in a mount namespace of its own."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=3m none {tmp_path}"
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, mount], capture_output=True, check=False).returncode
    ):
        pytest.skip("no mount namespaces here")
    return [*command, f'{mount} && exec "$0" "$@"']


def test_full_disk(small_disk, tmp_path, monkeypatch):
    import sys

    serve = pathlib.Path(__file__).parent / "serve.py"
    process = subprocess.Popen(
        [*small_disk, sys.executable, str(serve), str(tmp_path), "0", "fsync"], stdout=subprocess.PIPE, text=True
    )
    try:
        port = int(process.stdout.readline())
        import boto3
        import botocore.config

        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="test-access",
            aws_secret_access_key="test/secret+key",
            region_name="us-east-1",
            config=botocore.config.Config(retries={"max_attempts": 1}),
        )
        client.put_object(Bucket="volant", Key="before", Body=b"1")
        for size in (8 << 20, 4 << 20):
            with pytest.raises(botocore.exceptions.ClientError, match="disk is full") as caught:
                client.put_object(Bucket="volant", Key="big", Body=b"x" * size)
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
        assert [row["Key"] for row in client.list_objects_v2(Bucket="volant")["Contents"]] == ["before"]
        client.put_object(Bucket="volant", Key="after", Body=b"x" * 100_000)
        client.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
