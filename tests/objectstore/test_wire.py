"""Requests as bytes: what well-behaved clients of this machine don't send, and what ill-behaved ones do."""

import base64
import datetime
import hashlib
import hmac
import http.client
import zlib

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from volant_core import clock
from volant_core.blobstore import signing

KEYS = botocore.credentials.Credentials("test-access", "test/secret+key")
EMPTY = hashlib.sha256(b"").hexdigest()
HOUR = datetime.timedelta(hours=1)


class Told:
    """A clock that says what it is told."""

    def __init__(self, shift):
        self.shift = shift

    def now(self):
        return datetime.datetime.now(datetime.UTC) + self.shift

    def monotonic(self):
        return 0.0


@pytest.fixture
def send(server):
    def exchange(method, target, headers=None, body=b""):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                if name.lower() != "host":
                    connection.putheader(name, value)
            if "Content-Length" not in (headers or {}) and "Transfer-Encoding" not in (headers or {}):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    return exchange


@pytest.fixture
def presigner(server):
    return signing.Presigner(signing.Endpoint(server.url, "test-access", "test/secret+key"), clock.SystemClock())


def signed(server, method, path, headers, payload, keys=KEYS):
    """Headers signed by botocore; the seed signature and its scope."""
    request = botocore.awsrequest.AWSRequest(method, f"{server.url}{path}", headers=headers)
    auth = botocore.auth.S3SigV4Auth(keys, "s3", "us-east-1")
    request.context["payload_signing_enabled"] = True
    request.headers["X-Amz-Content-SHA256"] = payload
    auth.payload = lambda _request: payload
    auth._should_sha256_sign_payload = lambda _request: True
    auth.add_auth(request)
    result = dict(request.headers.items())
    result["X-Amz-Content-SHA256"] = payload
    authorization = result["Authorization"]
    return result, authorization.rpartition("Signature=")[2]


def key_of(timestamp):
    return signing.signing_key("test/secret+key", timestamp[:8], "us-east-1")


def chunked(headers, seed, pieces, trailer=None, spoil=-1):
    stamp = headers["X-Amz-Date"]
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    out, previous = b"", seed
    for number, piece in enumerate([*pieces, b""]):
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{previous}\n{EMPTY}\n{hashlib.sha256(piece).hexdigest()}"
        previous = hmac.digest(key_of(stamp), text.encode(), "sha256").hex()
        if number == spoil:
            previous = "0" * 64
        out += f"{len(piece):x};chunk-signature={previous}\r\n".encode() + piece + (b"\r\n" if piece else b"")
    if trailer is None:
        return out + b"\r\n"
    hashed = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256-TRAILER\n{stamp}\n{scope}\n{previous}\n{hashed}"
    last = hmac.digest(key_of(stamp), text.encode(), "sha256").hex()
    if spoil == -2:
        last = "0" * 64
    return out + f"{trailer}\r\nx-amz-trailer-signature:{last}\r\n\r\n".encode()


@pytest.mark.parametrize("sizes", [[], [1], [65536, 65536, 5], [3 << 20, 7]])
def test_signed_chunks(server, s3, bucket, send, sizes):
    pieces = [bytes([n + 1]) * size for n, size in enumerate(sizes)]
    data = b"".join(pieces)
    told = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(data))}
    path = f"/{bucket}/k"
    headers, seed = signed(server, "PUT", path, told, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    for spoil in range(len(pieces) + 1):
        status, _, answer = send("PUT", path, headers, chunked(headers, seed, pieces, spoil=spoil))
        assert (status, b"SignatureDoesNotMatch" in answer) == (403, True)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    body = chunked(headers, seed, pieces)
    if data:
        status, _, answer = send("PUT", path, headers, body[: len(body) // 2])
        assert status in (400, 403)
        swapped = chunked(headers, seed, pieces[::-1]) if len(set(pieces)) > 1 else body.replace(data[:1], b"\xff", 1)
        assert swapped != body
    status, answered, _ = send("PUT", path, headers, body)
    assert status == 200
    assert answered["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == data
    assert "ContentEncoding" not in got


def test_signed_chunks_with_signed_trailer(server, s3, bucket, send):
    pieces = [b"a" * 70_000, b"b"]
    crc = base64.b64encode(zlib.crc32(b"".join(pieces)).to_bytes(4, "big")).decode()
    told = {
        "Content-Encoding": "gzip,aws-chunked",
        "x-amz-decoded-content-length": "70001",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    path = f"/{bucket}/k"
    headers, seed = signed(server, "PUT", path, told, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
    trailer = f"x-amz-checksum-crc32:{crc}"
    status, _, _ = send("PUT", path, headers, chunked(headers, seed, pieces, trailer, spoil=-2))
    assert status == 403
    status, _, answer = send("PUT", path, headers, chunked(headers, seed, pieces, "x-amz-checksum-crc32:AAAAAA=="))
    assert (status, b"XAmzContentChecksumMismatch" in answer) == (400, True)
    status, answered, _ = send("PUT", path, headers, chunked(headers, seed, pieces, trailer))
    assert (status, answered["x-amz-checksum-crc32"]) == (200, crc)
    assert s3.head_object(Bucket=bucket, Key="k")["ContentEncoding"] == "gzip"


CHECKSUMS = {  # of b"123456789", the catalogues' check values
    "crc32": 0xCBF43926.to_bytes(4, "big"),
    "crc32c": 0xE3069283.to_bytes(4, "big"),
    "crc64nvme": 0xAE8B14860A799888.to_bytes(8, "big"),
    "sha256": hashlib.sha256(b"123456789").digest(),
}


@pytest.mark.parametrize("algorithm", CHECKSUMS)
@pytest.mark.parametrize("ending", [b"\r\n\r\n", b"\n\r\n", b"\r\n"])
def test_unsigned_chunks_with_checksum(server, s3, bucket, send, algorithm, ending):
    path = f"/{bucket}/k"
    name = f"x-amz-checksum-{algorithm}"
    told = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": "9", "x-amz-trailer": name}
    headers, _ = signed(server, "PUT", path, told, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    value = base64.b64encode(CHECKSUMS[algorithm])

    def put(content, checksum):
        chunks = b"4\r\n" + content[:4] + b"\r\n5\r\n" + content[4:] + b"\r\n0\r\n"
        return send("PUT", path, headers, chunks + name.encode() + b":" + checksum + ending)

    assert put(b"123456780", value)[0] == 400
    assert put(b"123456789", base64.b64encode(b"\0" * len(CHECKSUMS[algorithm])))[0] == 400
    status, answered, _ = put(b"123456789", value)
    assert (status, answered[name]) == (200, value.decode())
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"123456789"
    assert send("PUT", path, headers, b"9\r\n123456789\r\n0\r\n\r\n")[0] == 400, "the announced trailer is missing"


@pytest.mark.parametrize(
    "body",
    [b"", b"zz\r\n", b"-1\r\n\r\n", b"9\r\n12345", b"4\r\n123456789\r\n0\r\n\r\n", b"x" * 20000,
     b"a\r\n1234567890\r\n0\r\n\r\n",
     b"9\r\n123456789\r\n0\r\n\r\nmore",
     b"9\r\n123456789\r\n" + b"0\r\n" + b"".join(b"a%d:b\r\n" % n for n in range(50))],
)  # fmt: skip
def test_broken_chunks(server, s3, bucket, send, body):
    path = f"/{bucket}/k"
    told = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": "9"}
    headers, _ = signed(server, "PUT", path, told, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert send("PUT", path, headers, body)[0] == 400
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_signed_payload_and_unsigned(server, bucket, send):
    path = f"/{bucket}/k"
    headers, _ = signed(server, "PUT", path, {}, hashlib.sha256(b"right").hexdigest())
    status, _, answer = send("PUT", path, headers, b"wrong")
    assert (status, b"XAmzContentSHA256Mismatch" in answer) == (400, True)
    assert send("PUT", path, headers, b"right")[0] == 200
    headers, _ = signed(server, "PUT", path, {}, "UNSIGNED-PAYLOAD")
    assert send("PUT", path, headers, b"anything")[0] == 200


def test_what_must_be_signed(server, bucket, send, presigner):
    path = f"/{bucket}/k"
    headers, _ = signed(server, "PUT", path, {}, "UNSIGNED-PAYLOAD")
    assert send("PUT", path, headers, b"content")[0] == 200
    assert send("PUT", path, headers | {"x-amz-meta-added": "1"}, b"x")[0] == 403
    assert send("PUT", f"/{bucket}/other", headers, b"x")[0] == 403
    assert send("DELETE", path, headers)[0] == 403
    url = presigner.sign("PUT", bucket, "mine", HOUR).removeprefix(server.url)
    assert send("PUT", url, {"x-amz-copy-source": f"/{bucket}/k"})[0] == 403
    assert send("GET", url)[0] == 403
    assert send("PUT", url + "&uploadId=x", {}, b"x")[0] == 403
    assert send("PUT", url, {}, b"content")[0] == 200


def test_presigned_urls_expire(server, bucket, send):
    endpoint = signing.Endpoint(server.url, "test-access", "test/secret+key")

    def get(shift, expires):
        presigner = signing.Presigner(endpoint, Told(datetime.timedelta(seconds=shift)))
        url = presigner.sign("GET", bucket, "k", datetime.timedelta(seconds=expires))
        return send("GET", url.removeprefix(server.url))

    assert get(0, 60)[0] == 404
    assert b"NoSuchKey" in get(-30, 60)[2]
    assert b"Request has expired" in get(-61, 60)[2]
    assert b"not valid yet" in get(3600, 60)[2]
    assert get(-3600 * 24 * 6, 10**9)[0] == 404, "cut to seven days"
    url = (
        signing.Presigner(endpoint, Told(datetime.timedelta())).sign("GET", bucket, "k", HOUR).removeprefix(server.url)
    )
    for change in ("X-Amz-Expires=0", "X-Amz-Expires=604801", "X-Amz-Expires=x", "X-Amz-Expires="):
        status, _, answer = send("GET", url.replace("X-Amz-Expires=3600", change))
        assert (status, b"AuthorizationQueryParametersError" in answer) == (400, True)


def test_old_requests_are_refused(server, bucket, send, monkeypatch):
    old = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=16)).strftime("%Y%m%dT%H%M%SZ")
    headers, _ = signed(server, "GET", f"/{bucket}/k", {}, EMPTY)
    headers["X-Amz-Date"] = old
    status, _, answer = send("GET", f"/{bucket}/k", headers)
    assert (status, b"RequestTimeTooSkewed" in answer) == (403, True)


@pytest.mark.parametrize(
    "authorization",
    ["", "AWS test:abc", "AWS4-HMAC-SHA256", "Bearer x", "\xff\xfe",
     "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c",
     "AWS4-HMAC-SHA256 Credential=\xff/20200101/r/s3/aws4_request, SignedHeaders=host, Signature=" + "0" * 64],
)  # fmt: skip
def test_broken_authorization(server, send, authorization):
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    for extra in ({}, {"X-Amz-Date": stamp, "X-Amz-Content-SHA256": EMPTY}, {"X-Amz-Date": "yesterday"}):
        status, headers, answer = send("GET", "/volant/k", {"Authorization": authorization} | extra)
        assert status in (400, 403)
        assert headers["Content-Type"] == "application/xml"
        assert answer.startswith(b"<?xml")


TARGETS = [
    "/", "//", "///", "/volant", "/volant/", "/volant//", "/..", "/../x", "/volant/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd", "/volant/..%2f..%2fetc%2fpasswd", "/.incoming/x", "/.multipart/x", "/%00/x",
    "/volant/%00", "/%ff/x", "/volant/%ff", "/volant/k%", "/volant/k?uploadId=../../x",
    "/volant?list-type=2&max-keys=x", "/?X-Amz-Signature=x", "/volant/" + "a" * 5000, "/volant?prefix=%ff",
    "/UPPER/x", "*", "http://other/volant/k",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "FOO"])
def test_odd_targets_anonymous_and_signed(server, send, target, method):
    status, _, answer = send(method, target)
    assert 400 <= status < 500 or status == 501
    if "?" in target or not target.startswith("/"):
        return
    try:
        headers, _ = signed(server, method, target, {}, "UNSIGNED-PAYLOAD")
    except ValueError:
        return
    status, _, answer = send(method, target, headers)
    assert status != 500
    assert b"root:" not in answer
    assert not (server.root.parent / "etc").exists()
    assert not (server.root.parent / "x").exists()


def test_errors_are_documents(server, send):
    status, headers, answer = send("GET", "/volant/<&>\u0001".replace("\u0001", "%01"))
    assert status == 403
    assert headers["Content-Type"] == "application/xml"
    assert b"<Code>AccessDenied</Code>" in answer
    assert b"/volant/&lt;&amp;&gt;" in answer
    assert headers["X-Amz-Request-Id"].encode() in answer


@pytest.mark.parametrize("document", [
    b"", b"<", b"<Delete/>", b"<Other><Object><Key>k</Key></Object></Other>", b"\xff\xfe\x00",
    b'<!DOCTYPE d [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>", b"x" * (3 << 20),
    b"<?xml version='1.0' encoding='nonsense'?><Delete/>",
])  # fmt: skip
def test_broken_documents(server, bucket, send, document):
    headers, _ = signed(server, "POST", f"/{bucket}?delete=", {}, hashlib.sha256(document).hexdigest())
    status, _, answer = send("POST", f"/{bucket}?delete=", headers, document)
    assert (status, answer.startswith(b"<?xml")) == (400, True)


def test_no_length(server, bucket, send):
    headers, _ = signed(server, "PUT", f"/{bucket}/k", {}, "UNSIGNED-PAYLOAD")
    status, _, answer = send("PUT", f"/{bucket}/k", headers | {"Transfer-Encoding": "chunked"}, b"1\r\nx\r\n0\r\n\r\n")
    assert (status, b"MissingContentLength" in answer) == (411, True)


def test_a_client_that_goes_away(server, s3, bucket, presigner):
    target = presigner.sign("PUT", bucket, "half", HOUR).removeprefix(server.url)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("PUT", target)
    connection.putheader("Content-Length", str(4 << 20))
    connection.endheaders(b"x" * (3 << 20))
    connection.close()
    s3.put_object(Bucket=bucket, Key="after", Body=b"1")
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["after"]


def test_cross_origin(server, bucket, send, presigner):
    asked = {
        "Origin": "http://console.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-md5",
    }
    status, headers, _ = send("OPTIONS", f"/{bucket}/k", asked)
    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "PUT" in headers["Access-Control-Allow-Methods"]
    assert headers["Access-Control-Allow-Headers"] == "content-md5"
    target = presigner.sign("PUT", bucket, "k", HOUR).removeprefix(server.url)
    status, headers, _ = send("PUT", target, {"Origin": "http://console.example"}, b"x")
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert "ETag" in headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in send("GET", "/")[1]
