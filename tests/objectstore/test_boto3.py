"""boto3 against the server."""

import hashlib
import io
import os
import urllib.request

import boto3.s3.transfer
import botocore.exceptions
import pytest


def code_of(caught):
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def refused():
    return pytest.raises(botocore.exceptions.ClientError)


def body(s3, bucket, key, **arguments):
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


def test_buckets(s3, bucket):
    assert bucket in [row["Name"] for row in s3.list_buckets()["Buckets"]]
    assert "volant" in [row["Name"] for row in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket=bucket)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    with refused() as caught:
        s3.create_bucket(Bucket=bucket)
    assert code_of(caught) == ("BucketAlreadyOwnedByYou", 409)
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"")
    with refused() as caught:
        s3.delete_bucket(Bucket=bucket)
    assert code_of(caught) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=bucket, Key="a/b")
    s3.delete_bucket(Bucket=bucket)
    with refused() as caught:
        s3.head_bucket(Bucket=bucket)
    assert code_of(caught) == ("404", 404)
    for call in (
        lambda: s3.list_objects_v2(Bucket=bucket),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x"),
        lambda: s3.get_object(Bucket=bucket, Key="k"),
        lambda: s3.delete_object(Bucket=bucket, Key="k"),
        lambda: s3.delete_bucket(Bucket=bucket),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="k"),
    ):
        with refused() as caught:
            call()
        assert code_of(caught) == ("NoSuchBucket", 404)


@pytest.mark.parametrize("size", [0, 1, 128 << 10, (128 << 10) + 1, 3 << 20])
def test_put_get_head(s3, bucket, size):
    data = os.urandom(size)
    put = s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=data,
        ContentType="text/x",
        Metadata={"Alpha": "1", "beta": "two words"},
        CacheControl="no-cache",
        ContentDisposition='attachment; filename="x"',
        ContentEncoding="identity",
    )
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    for answer in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert answer["ContentLength"] == size
        assert answer["ContentType"] == "text/x"
        assert answer["ETag"] == put["ETag"]
        assert answer["Metadata"] == {"alpha": "1", "beta": "two words"}
        assert answer["CacheControl"] == "no-cache"
        assert answer["ContentDisposition"] == 'attachment; filename="x"'
        assert answer["ContentEncoding"] == "identity"
    assert answer["Body"].read() == data


def test_absent(s3, bucket):
    with refused() as caught:
        s3.get_object(Bucket=bucket, Key="nothing")
    assert code_of(caught) == ("NoSuchKey", 404)
    with refused() as caught:
        s3.head_object(Bucket=bucket, Key="nothing")
    assert code_of(caught) == ("404", 404)
    assert s3.delete_object(Bucket=bucket, Key="nothing")["ResponseMetadata"]["HTTPStatusCode"] == 204


@pytest.mark.parametrize("size", [10, 1 << 20])
def test_ranges(s3, bucket, size):
    data = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    for asked, expected in {
        "bytes=0-0": data[:1],
        "bytes=2-5": data[2:6],
        "bytes=7-": data[7:],
        "bytes=-3": data[-3:],
        f"bytes=3-{size * 2}": data[3:],
        f"bytes=-{size * 2}": data,
    }.items():
        answer = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["Body"].read() == expected, asked
        assert answer["ContentRange"].endswith(f"/{size}")
    for odd in ("bytes=5-2", "lines=1-2", "bytes=0-1,3-4", "bytes=-", "bytes=x-y"):
        assert body(s3, bucket, "k", Range=odd) == data
    for beyond in (f"bytes={size}-", "bytes=-0"):
        with refused() as caught:
            s3.get_object(Bucket=bucket, Key="k", Range=beyond)
        assert code_of(caught) == ("InvalidRange", 416)


def test_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    assert body(s3, bucket, "k", IfMatch=etag) == b"1"
    assert body(s3, bucket, "k", IfNoneMatch='"other"', IfUnmodifiedSince=modified) == b"1"
    for arguments, expected in [
        ({"IfMatch": '"other"'}, ("PreconditionFailed", 412)),
        ({"IfNoneMatch": etag}, ("304", 304)),
        ({"IfModifiedSince": modified}, ("304", 304)),
        ({"IfUnmodifiedSince": modified.replace(year=2001)}, ("PreconditionFailed", 412)),
    ]:
        with refused() as caught:
            s3.get_object(Bucket=bucket, Key="k", **arguments)
        assert code_of(caught) == expected
    with refused() as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert code_of(caught) == ("PreconditionFailed", 412)
    with refused() as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch='"other"')
    assert code_of(caught) == ("PreconditionFailed", 412)
    with refused() as caught:
        s3.put_object(Bucket=bucket, Key="new", Body=b"2", IfMatch='"other"')
    assert code_of(caught) == ("NoSuchKey", 404)
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    s3.put_object(Bucket=bucket, Key="fresh", Body=b"3", IfNoneMatch="*")
    assert (body(s3, bucket, "k"), body(s3, bucket, "fresh")) == (b"2", b"3")


def test_response_overrides(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"<p>", ContentType="text/html")
    answer = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="text/plain", ResponseCacheControl="no-store")
    assert (answer["ContentType"], answer["CacheControl"]) == ("text/plain", "no-store")


def test_copy(s3, bucket):
    data = os.urandom(100_000)
    s3.put_object(Bucket=bucket, Key="a é/b+c", Body=data, Metadata={"k": "v"}, ContentType="text/x")
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a é/b+c"})
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    head = s3.head_object(Bucket=bucket, Key="copy")
    assert (head["Metadata"], head["ContentType"]) == ({"k": "v"}, "text/x")
    s3.copy_object(
        Bucket=bucket,
        Key="copy",
        CopySource={"Bucket": bucket, "Key": "copy"},
        MetadataDirective="REPLACE",
        Metadata={"other": "1"},
    )
    assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"other": "1"}
    assert body(s3, bucket, "copy") == data
    with refused() as caught:
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "copy"})
    assert code_of(caught) == ("InvalidRequest", 400)
    with refused() as caught:
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "nothing"})
    assert code_of(caught) == ("NoSuchKey", 404)
    with refused() as caught:
        s3.copy_object(Bucket=bucket, Key="c2", CopySource=f"{bucket}/copy", CopySourceIfMatch='"x"')
    assert code_of(caught) == ("PreconditionFailed", 412)


KEYS = [
    "a",
    "a-b",
    "a/1",
    "a/2/3",
    "a/2/4",
    "a0",
    "b/1",
    "B",
    "é",
    "z/",
    "x",
    "x/y",
    "x//y",
    "../up",
    "d/./e",
    "~t1",
    "%41",
]


def test_lists(s3, bucket):
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    everything = sorted(KEYS, key=str.encode)
    for lister in (s3.list_objects_v2, s3.list_objects):
        answer = lister(Bucket=bucket)
        assert [row["Key"] for row in answer["Contents"]] == everything
        assert all(row["Size"] == len(row["Key"].encode()) for row in answer["Contents"])
        assert answer["Contents"][0]["ETag"] == f'"{hashlib.md5(everything[0].encode()).hexdigest()}"'
        for prefix in ["a", "a/", "x/", "x//", "zz", "../", "é", "~", "%4"]:
            answer = lister(Bucket=bucket, Prefix=prefix)
            assert [row["Key"] for row in answer.get("Contents", [])] == [k for k in everything if k.startswith(prefix)]
        answer = lister(Bucket=bucket, Delimiter="/")
        assert [row["Key"] for row in answer["Contents"]] == [key for key in everything if "/" not in key]
        assert [row["Prefix"] for row in answer["CommonPrefixes"]] == ["../", "a/", "b/", "d/", "x/", "z/"]
        answer = lister(Bucket=bucket, Delimiter="/", Prefix="a/")
        assert [row["Key"] for row in answer["Contents"]] == ["a/1"]
        assert [row["Prefix"] for row in answer["CommonPrefixes"]] == ["a/2/"]
        answer = lister(Bucket=bucket, Delimiter="-", Prefix="a")
        assert [row["Prefix"] for row in answer["CommonPrefixes"]] == ["a-"]
    assert s3.list_objects_v2(Bucket=bucket, Prefix="a")["KeyCount"] == 6
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0


@pytest.mark.parametrize("delimiter", ["", "/", "-"])
@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
def test_pages(s3, bucket, operation, delimiter):
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for size in (1, 2, 5):
        seen = []
        for page in s3.get_paginator(operation).paginate(
            Bucket=bucket, Delimiter=delimiter, PaginationConfig={"PageSize": size}
        ):
            rows = [row["Key"] for row in page.get("Contents", [])]
            rows += [row["Prefix"] for row in page.get("CommonPrefixes", [])]
            assert len(rows) <= size
            seen += rows
        expected = {
            key if not delimiter or delimiter not in key else key.split(delimiter)[0] + delimiter for key in KEYS
        }
        assert sorted(seen) == sorted(expected), size


def test_start_after(s3, bucket):
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    answer = s3.list_objects_v2(Bucket=bucket, StartAfter="a/2/3")
    assert [row["Key"] for row in answer["Contents"]] == [key for key in sorted(KEYS, key=str.encode) if key > "a/2/3"]
    answer = s3.list_objects_v2(Bucket=bucket, StartAfter="a/2/3", Delimiter="/")
    assert [row["Prefix"] for row in answer["CommonPrefixes"]] == ["a/", "b/", "d/", "x/", "z/"]
    with refused() as caught:
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="\x00?")
    assert code_of(caught)[1] == 400


def test_delete_many(s3, bucket):
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    answer = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": key} for key in [*KEYS[:5], "never", "k" * 300]]}
    )
    assert sorted(row["Key"] for row in answer["Deleted"]) == sorted([*KEYS[:5], "never"])
    assert [row["Code"] for row in answer["Errors"]] == ["KeyTooLongError"]
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == sorted(KEYS[5:], key=str.encode)
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in KEYS], "Quiet": True})
    assert "Deleted" not in quiet
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_multipart(s3, bucket):
    parts = [os.urandom(5 << 20), os.urandom(6 << 20), b"tail"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big", Metadata={"k": "v"}, ContentType="text/x")["UploadId"]
    named = {"Bucket": bucket, "Key": "big", "UploadId": upload}
    s3.upload_part(**named, PartNumber=2, Body=b"to be replaced")
    etags = {n: s3.upload_part(**named, PartNumber=n, Body=parts[n - 1])["ETag"] for n in (3, 1, 2)}
    listed = s3.list_parts(**named)
    assert [(row["PartNumber"], row["Size"]) for row in listed["Parts"]] == [(n, len(parts[n - 1])) for n in (1, 2, 3)]
    paged = s3.list_parts(**named, MaxParts=1, PartNumberMarker=1)
    assert (paged["IsTruncated"], paged["NextPartNumberMarker"]) == (True, 2)
    uploads = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [(row["Key"], row["UploadId"]) for row in uploads] == [("big", upload)]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)

    def complete(*rows):
        wanted = {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in rows]}
        return s3.complete_multipart_upload(**named, MultipartUpload=wanted)

    for rows, code in [
        ([(2, etags[2]), (1, etags[1])], "InvalidPartOrder"),
        ([(1, etags[2])], "InvalidPart"),
        ([(9, etags[1])], "InvalidPart"),
        ([(1, "nonsense")], "InvalidPart"),
        ([(1, etags[1]), (3, etags[3]), (4, etags[1])], "InvalidPart"),
    ]:
        with refused() as caught:
            complete(*rows)
        assert code_of(caught) == (code, 400)
    etag = complete(*sorted(etags.items()))["ETag"]
    assert etag == f'"{hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()}-3"'
    assert complete(*sorted(etags.items()))["ETag"] == etag, "the answer may have been lost"
    head = s3.head_object(Bucket=bucket, Key="big")
    assert (head["ETag"], head["Metadata"], head["ContentType"]) == (etag, {"k": "v"}, "text/x")
    assert body(s3, bucket, "big") == b"".join(parts)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_small_parts_are_refused(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    rows = [{"PartNumber": n, "ETag": s3.upload_part(**named, PartNumber=n, Body=b"x")["ETag"]} for n in (1, 2)]
    with refused() as caught:
        s3.complete_multipart_upload(**named, MultipartUpload={"Parts": rows})
    assert code_of(caught) == ("EntityTooSmall", 400)
    s3.abort_multipart_upload(**named)
    for call in (
        lambda: s3.abort_multipart_upload(**named),
        lambda: s3.list_parts(**named),
        lambda: s3.upload_part(**named, PartNumber=1, Body=b"x"),
        lambda: s3.complete_multipart_upload(**named, MultipartUpload={"Parts": rows}),
        lambda: s3.list_parts(**named | {"UploadId": "../../x"}),
    ):
        with refused() as caught:
            call()
        assert code_of(caught) == ("NoSuchUpload", 404)
    for number in (0, 10_001):
        with refused() as caught:
            s3.upload_part(**named, PartNumber=number, Body=b"x")
        assert code_of(caught) == ("InvalidArgument", 400)


def test_managed_transfers(s3, bucket):
    data = os.urandom(20 << 20)
    config = boto3.s3.transfer.TransferConfig(
        multipart_threshold=5 << 20, multipart_chunksize=6 << 20, max_concurrency=4
    )
    s3.upload_fileobj(io.BytesIO(data), bucket, "big", Config=config)
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-4"')
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy", Config=config)
    got = io.BytesIO()
    s3.download_fileobj(bucket, "copy", got, Config=config)
    assert got.getvalue() == data


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums(s3, bucket, algorithm):
    answer = s3.put_object(Bucket=bucket, Key="k", Body=b"content", ChecksumAlgorithm=algorithm)
    assert answer[f"Checksum{algorithm}"]
    with refused() as caught:
        s3.put_object(Bucket=bucket, Key="k2", Body=b"content", ChecksumCRC32="AAAAAA==")
    assert code_of(caught) == ("XAmzContentChecksumMismatch", 400)
    with refused() as caught:
        s3.put_object(Bucket=bucket, Key="k2", Body=b"content", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
    assert code_of(caught) == ("BadDigest", 400)
    for bad in ("nonsense", "AAAA"):
        with refused() as caught:
            s3.put_object(Bucket=bucket, Key="k2", Body=b"content", ContentMD5=bad)
        assert code_of(caught) == ("InvalidDigest", 400)
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def test_presigned(s3, bucket):
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b/é+"}, ExpiresIn=60)
    with urllib.request.urlopen(urllib.request.Request(url, data=b"content", method="PUT")) as answer:
        assert answer.status == 200
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/é+"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"content"


@pytest.mark.parametrize(
    ("key", "code"),
    [("k" * 201, "KeyTooLongError"), ("a/" * 600, "KeyTooLongError"), ("nul\x00", "InvalidArgument")],
)
def test_keys_that_can_not_be_stored(s3, bucket, key, code):
    with refused() as caught:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert code_of(caught) == (code, 400)


def test_metadata_limit(s3, bucket):
    with refused() as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={f"k{n}": "v" * 2000 for n in range(5)})
    assert code_of(caught) == ("MetadataTooLarge", 400)


def test_what_is_not_offered_says_so(s3, bucket):
    with refused() as caught:
        s3.get_bucket_acl(Bucket=bucket)
    assert code_of(caught) == ("NotImplemented", 501)
    with refused() as caught:
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": []})
    assert code_of(caught) == ("NotImplemented", 501)
    with refused() as caught:
        s3.get_bucket_policy(Bucket=bucket)
    assert code_of(caught) == ("NoSuchBucketPolicy", 404)
