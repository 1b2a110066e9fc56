"""CacheBatchService, and that it and DataCatalog show the same artifacts."""

import asyncio
import contextlib
import time

import grpc
import pytest

from volant_core import errors
from volantidl.catalog import catalog_pb2 as cb
from volantidl.core import literals_pb2
from volantidl.datacatalog import datacatalog_pb2 as dc


@contextlib.contextmanager
def refused(code, text=""):
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code().name == code, caught.value.details()
    assert text in caught.value.details()


def key(tag="t", **other):
    parts = {"project": "p", "domain": "d", "dataset_name": "n", "dataset_version": "v", "tag": tag}
    return cb.CacheKey(**parts | other)


def outputs(**values):
    literals = literals_pb2.LiteralMap()
    for name, value in values.items():
        literals.literals[name].scalar.primitive.string_value = value
    return literals.SerializeToString(deterministic=True)


def entry(tag="t", data=None, *, overwrite=False, metadata=None, **place):
    return cb.PutEntry(
        key=key(tag, **place), outputs=data or outputs(o0="x"), overwrite=overwrite, metadata=metadata or {}
    )


async def put(batch, *entries):
    return list((await batch.Put(cb.PutRequest(entries=entries))).results)


async def look_up(batch, *tags, **age):
    queries = []
    for tag in tags:
        query = cb.LookupQuery(key=tag if isinstance(tag, cb.CacheKey) else key(tag))
        if age:
            query.max_age.seconds = age["seconds"]
        queries.append(query)
    return list((await batch.Lookup(cb.LookupRequest(queries=queries))).results)


async def content(blobs, result):
    if result.WhichOneof("content") == "outputs_uri":
        return await blobs.get(result.outputs_uri)
    return result.outputs


async def test_put_and_look_up(batch, stub, blobs, hand_clock):
    large = outputs(o0="y" * 5000)
    written = [
        entry("t1", metadata={"exec-node": "n0", "é": ""}),
        entry("t2", large),
        entry("t1", project="other", data=outputs(o0="z")),
    ]
    stored = await put(batch, *written)
    assert all(result.stored and result.artifact_id for result in stored)
    found = await look_up(batch, "t2", "never", "t1", key("t1", project="other"), "t1", key("t1", domain="x"))
    assert [result.found for result in found] == [True, False, True, True, True, False]
    assert found[1] == cb.LookupResult()
    assert found[2] == found[4]
    assert [result.artifact_id for result in found[:4:2]] == [stored[1].artifact_id, stored[0].artifact_id]
    assert dict(found[2].metadata) == {"exec-node": "n0", "é": ""}
    assert found[2].written_at.ToDatetime(hand_clock.now().tzinfo) == hand_clock.now()
    assert found[0].WhichOneof("content") == "outputs_uri"
    assert await content(blobs, found[0]) == large
    assert (found[2].outputs, found[3].outputs) == (outputs(o0="x"), outputs(o0="z"))
    # the same through Flyte's service
    id_ = dc.DatasetID(project="p", domain="d", name="n", version="v")
    artifact = (await stub.GetArtifact(dc.GetArtifactRequest(dataset=id_, tag_name="t2"))).artifact
    assert artifact.id == stored[1].artifact_id
    assert [(part.name, part.value.scalar.primitive.string_value) for part in artifact.data] == [("o0", "y" * 5000)]
    listed = (await stub.ListArtifacts(dc.ListArtifactsRequest(dataset=id_))).artifacts
    assert {found.id for found in listed} == {stored[0].artifact_id, stored[1].artifact_id}


async def test_what_flytes_service_wrote_is_found(batch, stub):
    id_ = dc.DatasetID(project="p", domain="d", name="n", version="v")
    await stub.CreateDataset(dc.CreateDatasetRequest(dataset=dc.Dataset(id=id_)))
    value = literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value="1")))
    made = dc.Artifact(id="mine", dataset=id_, data=[dc.ArtifactData(name="o0", value=value)])
    await stub.CreateArtifact(dc.CreateArtifactRequest(artifact=made))
    await stub.AddTag(dc.AddTagRequest(tag=dc.Tag(name="t", artifact_id="mine", dataset=id_)))
    [found] = await look_up(batch, "t")
    assert (found.artifact_id, found.outputs) == ("mine", outputs(o0="1"))
    [result] = await put(batch, entry("t", outputs(o0="2"), overwrite=True))
    assert (result.artifact_id, result.stored) == ("mine", True)
    assert (await stub.GetArtifact(dc.GetArtifactRequest(dataset=id_, tag_name="t"))).artifact.data[
        0
    ].value.scalar.primitive.string_value == "2"


async def test_what_is_there_stays_unless_overwritten(batch, blobs):
    [first] = await put(batch, entry(data=outputs(o0="a" * 2000)))
    [second] = await put(batch, entry(data=outputs(o0="b" * 2000)))
    assert (second.artifact_id, second.stored) == (first.artifact_id, False)
    [found] = await look_up(batch, "t")
    assert await content(blobs, found) == outputs(o0="a" * 2000)
    [third] = await put(batch, entry(data=outputs(o0="c" * 2000), overwrite=True, metadata={"exec-node": "n1"}))
    assert (third.artifact_id, third.stored) == (first.artifact_id, True)
    [found] = await look_up(batch, "t")
    assert await content(blobs, found) == outputs(o0="c" * 2000)
    assert dict(found.metadata) == {"exec-node": "n1"}
    assert len([info async for info in blobs.list(blobs.join())]) == 1, "nothing is left behind"


async def test_one_place_twice_in_a_batch(batch):
    results = await put(batch, entry(data=outputs(o="1")), entry(data=outputs(o="2")), entry("u"))
    assert [result.stored for result in results] == [True, False, True]
    assert results[0].artifact_id == results[1].artifact_id
    assert (await look_up(batch, "t"))[0].outputs == outputs(o="1")
    results = await put(
        batch,
        entry(data=outputs(o="3"), overwrite=True),
        entry(data=outputs(o="4"), overwrite=True),
        entry(data=outputs(o="5")),
    )
    assert [result.stored for result in results] == [False, True, False]
    assert (await look_up(batch, "t"))[0].outputs == outputs(o="4")


async def test_max_age(batch, hand_clock):
    await put(batch, entry())
    hand_clock.advance(seconds=100)
    for seconds, found in [(99, False), (100, True), (0, True), (10**11, True)]:
        assert (await look_up(batch, "t", seconds=seconds))[0].found == found
    await put(batch, entry(data=outputs(o="2"), overwrite=True))
    assert (await look_up(batch, "t", seconds=1))[0].found, "overwritten outputs are new"
    with refused("INVALID_ARGUMENT", "max_age must not be negative"):
        await look_up(batch, "t", seconds=-1)


async def test_outputs_by_uri(batch, blobs):
    data = outputs(o0="w" * 3000)
    uri = blobs.join("metadata", "x", "outputs.pb")
    await blobs.put(uri, data)
    await put(batch, cb.PutEntry(key=key(), outputs_uri=uri))
    await blobs.delete(uri)
    [found] = await look_up(batch, "t")
    assert await content(blobs, found) == data
    with refused("NOT_FOUND", "outputs.pb"):
        await put(batch, cb.PutEntry(key=key(), outputs_uri=uri))
    for bad in ("", "file:///etc/passwd", "s3://volant", "s3://volant/a\x00"):
        with refused("INVALID_ARGUMENT"):
            await put(batch, cb.PutEntry(key=key(), outputs_uri=bad))


async def test_what_is_refused(batch):
    for bad, text in [
        (cb.PutEntry(), "missing key.project"),
        (cb.PutEntry(key=key(domain="")), "missing key.domain"),
        (cb.PutEntry(key=key(dataset_name="")), "missing key.dataset_name"),
        (cb.PutEntry(key=key(dataset_version="")), "missing key.dataset_version"),
        (cb.PutEntry(key=key(tag="")), "missing key.tag"),
        (cb.PutEntry(key=key(tag="t" * 3000)), "the limit is 2000"),
        (cb.PutEntry(key=key(tag="\x00")), "NUL"),
        (cb.PutEntry(key=key()), "missing outputs"),
        (cb.PutEntry(key=key(), outputs=b""), "missing outputs"),
        (cb.PutEntry(key=key(), outputs=b"\xff\xff"), "not a LiteralMap"),
    ]:
        with refused("INVALID_ARGUMENT", text):
            await put(batch, entry("good"), bad)
    with refused("INVALID_ARGUMENT", "at most 1000"):
        await put(batch, *[entry()] * 1001)
    with refused("INVALID_ARGUMENT", "at most 1000"):
        await look_up(batch, *["t"] * 1001)
    assert not (await look_up(batch, "good"))[0].found, "a batch is kept whole or not at all"
    assert await put(batch) == []
    assert await look_up(batch) == []


async def test_the_same_entries_from_many(batch, blobs):
    async def write(worker):
        tags = [f"t{number}" for number in range(30)]
        return await put(batch, *(entry(tag, outputs(o=f"{worker}" * 2000), overwrite=worker > 3) for tag in tags))

    results = await asyncio.gather(*(write(worker) for worker in range(8)))
    found = await look_up(batch, *(f"t{number}" for number in range(30)))
    for position, one in enumerate(found):
        assert {rows[position].artifact_id for rows in results} == {one.artifact_id}
        assert sum(rows[position].stored for rows in results[:4]) <= 1
        assert all(rows[position].stored for rows in results[4:])
        assert await content(blobs, one) in [outputs(o=f"{worker}" * 2000) for worker in range(4, 8)]


async def test_reservations(batch, hand_clock):
    def claims(owner, *tags):
        return [cb.ReservationClaim(key=key(tag), owner_id=owner) for tag in tags]

    async def reserve(*given):
        return list((await batch.Reserve(cb.ReserveRequest(claims=given))).results)

    first = await reserve(*claims("one", "a", "b"))
    assert [(held.acquired, held.owner_id, held.heartbeat_interval.seconds) for held in first] == [
        (True, "one", 10)
    ] * 2
    assert first[0].expires_at.seconds == int(hand_clock.now().timestamp()) + 30
    mixed = await reserve(*claims("two", "b", "c"), *claims("one", "a"), *claims("three", "c"))
    assert [(held.acquired, held.owner_id) for held in mixed] == [
        (False, "one"),
        (True, "two"),
        (True, "one"),
        (False, "two"),
    ]
    await batch.Release(
        cb.ReleaseRequest(
            releases=[
                cb.ReservationRelease(key=key("b"), owner_id="one"),
                cb.ReservationRelease(key=key("c"), owner_id="one"),
                cb.ReservationRelease(key=key("never"), owner_id="one"),
            ]
        )
    )
    assert [held.acquired for held in await reserve(*claims("three", "a", "b", "c"))] == [False, True, False]
    hand_clock.advance(seconds=31)
    assert [held.acquired for held in await reserve(*claims("four", "a", "b", "c"))] == [True, True, True]
    assert await reserve() == []
    with refused("INVALID_ARGUMENT", "missing owner_id"):
        await reserve(cb.ReservationClaim(key=key()))
    with refused("INVALID_ARGUMENT", "missing key.project"):
        await batch.Release(cb.ReleaseRequest(releases=[cb.ReservationRelease(owner_id="o")]))


async def test_blob_store_away(batch, blobs, monkeypatch):
    async def away(*_arguments, **_named):
        raise errors.UnavailableError("the object store is away")

    monkeypatch.setattr(blobs, "put", away)
    with refused("UNAVAILABLE"):
        await put(batch, entry(data=outputs(o="x" * 5000)))
    assert not (await look_up(batch, "t"))[0].found


async def test_many_questions_cost_one_statement(batch, database, monkeypatch):
    await put(batch, *(entry(f"t{number}") for number in range(100)))
    asked = []
    fetch = type(database).fetch

    async def counted(self, query, *arguments):
        asked.append(query)
        return await fetch(self, query, *arguments)

    monkeypatch.setattr(type(database), "fetch", counted)
    tags = [f"t{number}" for number in range(100)]
    began = time.perf_counter()
    assert all(found.found for found in await look_up(batch, *tags))
    print(f"100 look-ups: {(time.perf_counter() - began) * 1000:.1f} ms")
    assert len(asked) == 1
    await put(batch, *(entry(tag, overwrite=True) for tag in tags))
    assert len(asked) == 2
