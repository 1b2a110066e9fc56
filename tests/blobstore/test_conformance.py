"""What the port promises, of every adapter. Fixture `store`: tests/blobstore/conftest.py."""

import asyncio
import base64
import datetime
import hashlib
import os
import urllib.parse

import aiohttp
import pytest

from volant_core import errors

HOUR = datetime.timedelta(hours=1)


async def keys(store, prefix):
    return [info.uri async for info in store.list(prefix)]


@pytest.mark.parametrize("size", [0, 1, 4096, 200_000, 3 << 20])
async def test_what_was_put_is_got(store, size):
    data = os.urandom(size)
    uri = store.join("a", "b.pb")
    await store.put(uri, data)
    assert await store.get(uri) == data
    info = await store.head(uri)
    assert (info.uri, info.size, info.etag) == (uri, size, hashlib.md5(data).hexdigest())
    assert info.content_type == "binary/octet-stream"
    assert info.metadata == {}
    assert abs(info.modified - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)


async def test_absent(store):
    uri = store.join("nothing")
    assert await store.head(uri) is None
    with pytest.raises(errors.NotFoundError, match="nothing"):
        await store.get(uri)
    with pytest.raises(errors.NotFoundError):
        await store.copy(uri, store.join("other"))
    await store.delete(uri)
    assert await keys(store, store.join("nothing")) == []


async def test_a_bucket_that_is_not_there(store):
    assert await store.head("s3://no-such-bucket-here/x") is None
    assert await keys(store, "s3://no-such-bucket-here/") == []
    with pytest.raises(errors.NotFoundError):
        await store.get("s3://no-such-bucket-here/x")


async def test_put_replaces_content_and_attributes(store):
    uri = store.join("x")
    await store.put(uri, b"first", content_type="text/plain", metadata={"Colour": "blue"})
    info = await store.head(uri)
    assert (info.content_type, info.metadata) == ("text/plain", {"colour": "blue"})
    await store.put(uri, b"next.", metadata={"shape": "round"})
    info = await store.head(uri)
    assert (info.content_type, info.metadata) == ("binary/octet-stream", {"shape": "round"})
    await store.put(uri, b"third")
    info = await store.head(uri)
    assert (await store.get(uri), info.metadata, info.etag) == (b"third", {}, hashlib.md5(b"third").hexdigest())


async def test_of_many_who_create_one_does(store):
    uri = store.join("claim")
    made = await asyncio.gather(*(store.create(uri, str(number).encode()) for number in range(8)))
    assert sum(made) == 1
    assert await store.get(uri) == str(made.index(True)).encode()
    assert not await store.create(uri, b"late")


async def test_limit(store):
    for size in (10, 200_000):
        uri = store.join(f"n{size}")
        await store.put(uri, b"a" * size)
        assert len(await store.get(uri, limit=size)) == size
        with pytest.raises(errors.ResourceExhaustedError):
            await store.get(uri, limit=size - 1)
        assert len(await store.get(uri)) == size


async def test_delete(store):
    await store.put(store.join("a", "b", "c"), b"1", metadata={"k": "v"})
    await store.delete(store.join("a", "b", "c"))
    assert await store.head(store.join("a", "b", "c")) is None
    await store.put(store.join("a", "b", "c"), b"1")
    assert (await store.head(store.join("a", "b", "c"))).metadata == {}


async def test_copy_takes_the_attributes_along(store):
    await store.put(store.join("a"), b"content", content_type="text/html", metadata={"k": "v"})
    await store.copy(store.join("a"), store.join("deep", "er", "b"))
    info = await store.head(store.join("deep", "er", "b"))
    assert (info.content_type, info.metadata, info.size) == ("text/html", {"k": "v"}, 7)
    assert await store.get(store.join("deep", "er", "b")) == b"content"


ODD = ["~", "%", "a%2Fb", "é/日本/🙂", "sp ace", "plus+and&?=#;", "quo'te\"", "x~m", "x~t1", "-._!*()", "a:b@c,d$"]


@pytest.mark.parametrize("key", ODD)
async def test_odd_keys(store, key):
    uri = store.join("odd") + "/" + key
    await store.put(uri, key.encode(), metadata={"k": "v"})
    assert await store.get(uri) == key.encode()
    assert (await store.head(uri)).metadata == {"k": "v"}
    assert await keys(store, store.join("odd")) == [uri]
    await store.copy(uri, uri + ".copy")
    await store.delete(uri)
    assert await keys(store, store.join("odd")) == [uri + ".copy"]


async def test_x_and_x_y_both_exist(store, whole_s3):
    if not whole_s3:
        pytest.skip("this store keeps its objects as files without escaping")
    await store.put(store.join("x", "y"), b"2")
    await store.put(store.join("x"), b"1")
    await store.put(store.join("x") + "//", b"3")
    assert await keys(store, store.join("x")) == [store.join("x") + end for end in ["", "//", "/y"]]
    await store.delete(store.join("x"))
    assert await store.get(store.join("x", "y")) == b"2"


async def test_dots_stay_in_the_bucket(store):
    uri = store.join("x") + "/../../z"
    try:
        await store.put(uri, b"1")
    except errors.InvalidArgumentError:
        return
    assert await keys(store, store.join()) == [uri]
    assert await store.get(uri) == b"1"


async def test_list_is_in_byte_order_and_by_prefix(store):
    names = ["a", "a-b", "a.b", "a/1", "a/2/3", "a0", "b/1", "B", "é", "z", "ab/c"]
    names = [f"l/{name}" for name in names if name != "a"]
    await asyncio.gather(*(store.put(store.join(name), b"") for name in names))
    everything = sorted(names, key=str.encode)
    for prefix in ["l/", "l/a", "l/a/", "l/a/2", "l/a/2/3", "l/b/1", "l/zz", "l/é", "l"]:
        assert await keys(store, store.join("") + "/" + prefix) == [
            store.join(name) for name in everything if name.startswith(prefix)
        ], prefix


async def test_list_of_more_than_a_page(store):
    await asyncio.gather(*(store.put(store.join("many", f"{n:04}"), b"%d" % n) for n in range(1100)))
    infos = [info async for info in store.list(store.join("many"))]
    assert [info.uri for info in infos] == [store.join("many", f"{n:04}") for n in range(1100)]
    assert infos[7].size == 1
    assert infos[7].etag == hashlib.md5(b"7").hexdigest()


BAD = [
    "",
    "s3://",
    "s3://b",
    "http://volant/x",
    "s3://Volant/x",
    "s3://volant/",
    "s3://../x",
    "s3://volant/a\x00b",
    "x",
]


@pytest.mark.parametrize("uri", [*BAD, "s3://volant/" + "a" * 1025, "s3://volant/" + "é" * 120, "s3://volant/\ud800"])
async def test_bad_uris_are_the_callers_fault(store, uri):
    for call in (store.get(uri), store.put(uri, b""), store.head(uri), store.delete(uri), store.copy(uri, uri)):
        with pytest.raises(errors.InvalidArgumentError):
            await call
    with pytest.raises(errors.InvalidArgumentError):
        store.sign_get(uri, HOUR)


async def test_readers_see_whole_objects(store):
    uri = store.join("contended")
    versions = [bytes([n]) * 50_000 for n in range(8)]
    await store.put(uri, versions[0])

    async def write():
        for data in versions * 3:
            await store.put(uri, data, metadata={"n": str(data[0])})

    async def read():
        for _ in range(30):
            assert await store.get(uri) in versions
            info = await store.head(uri)
            assert info.size == 50_000

    await asyncio.gather(write(), write(), read(), read())


async def test_puts_and_deletes_side_by_side(store):
    async def churn(n):
        for _ in range(20):
            await store.put(store.join("churn", "deep", f"{n}"), b"x")
            await store.delete(store.join("churn", "deep", f"{n}"))

    await asyncio.gather(*(churn(n) for n in range(4)))
    assert await keys(store, store.join("churn")) == []


def test_join(store):
    own = store.join()
    assert own.startswith("s3://")
    assert store.join("a", "/b/", "", "c.pb") == own + "/a/b/c.pb"


async def test_signed_get_and_put(store, signs):
    if not signs:
        pytest.skip("no server behind this adapter")
    uri, data = store.join("up", "loa d+é.bin"), b"signed content"
    digest = hashlib.md5(data).digest()
    url, headers = store.sign_put(uri, HOUR, content_md5=digest, metadata={"flyteContentMD5": "v=="})
    assert headers == {"Content-MD5": base64.b64encode(digest).decode(), "x-amz-meta-flyteContentMD5": "v=="}
    async with aiohttp.ClientSession() as session:

        async def put(body, sent):
            async with session.put(_as_is(url), data=body, headers=sent) as response:
                return response.status

        assert await put(data, {}) in (400, 403)
        assert await put(data, headers | {"Content-MD5": base64.b64encode(bytes(16)).decode()}) == 403
        assert await put(b"other content", headers) == 400
        assert await store.head(uri) is None
        assert await put(data, headers) == 200
        assert (await store.head(uri)).metadata == {"flytecontentmd5": "v=="}
        async with session.get(_as_is(store.sign_get(uri, HOUR))) as response:
            assert await response.read() == data
        async with session.get(_as_is(store.sign_get(uri, HOUR).replace("up/", "up2/"))) as response:
            assert response.status == 403
        bare, none = store.sign_put(store.join("bare"), HOUR)
        assert none == {}
        async with session.put(_as_is(bare), data=data) as response:
            assert response.status == 200
    assert await store.get(store.join("bare")) == data


def _as_is(url):
    import yarl

    assert urllib.parse.urlsplit(url).query
    return yarl.URL(url, encoded=True)


def test_real_minio():
    if not os.environ.get("VOLANT_TEST_MINIO"):
        pytest.skip("VOLANT_TEST_MINIO=host:port names no MinIO server (keys: VOLANT_TEST_MINIO_KEYS=access:secret)")
