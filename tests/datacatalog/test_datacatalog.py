"""Flyte's DataCatalog service: contract rows 1.155 to 1.163."""

import asyncio
import contextlib
import uuid

import grpc
import pytest

from volant_datacatalog import service, settings
from volantidl.core import literals_pb2
from volantidl.datacatalog import datacatalog_pb2 as dc

ID = dc.DatasetID(project="p", domain="d", name="n", version="v")
STRANGE = dc.DatasetID(project="p", domain="d", name="other", version="v")


@contextlib.contextmanager
def refused(code, text=""):
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code().name == code, caught.value.details()
    assert text in caught.value.details()


def literal(value):
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value=value)))


def data(**values):
    return [dc.ArtifactData(name=name, value=literal(value)) for name, value in values.items()]


async def dataset(stub, id_=ID, **fields):
    await stub.CreateDataset(dc.CreateDatasetRequest(dataset=dc.Dataset(id=id_, **fields)))


async def artifact(stub, name="a1", id_=ID, tag="", **fields):
    made = dc.Artifact(id=name, dataset=id_, **{"data": data(o0="x")} | fields)
    await stub.CreateArtifact(dc.CreateArtifactRequest(artifact=made))
    if tag:
        await stub.AddTag(dc.AddTagRequest(tag=dc.Tag(name=tag, artifact_id=name, dataset=id_)))


async def get(stub, id_=ID, **handle):
    return (await stub.GetArtifact(dc.GetArtifactRequest(dataset=id_, **handle))).artifact


async def test_datasets(stub):
    metadata = dc.Metadata(key_map={"k": "v"})
    await dataset(stub, metadata=metadata, partitionKeys=["b", "a"])
    found = (await stub.GetDataset(dc.GetDatasetRequest(dataset=ID))).dataset
    assert uuid.UUID(found.id.UUID)
    assert (found.id.project, found.id.domain, found.id.name, found.id.version) == ("p", "d", "n", "v")
    assert (found.metadata, found.partitionKeys) == (metadata, ["b", "a"])
    assert (await stub.GetDataset(dc.GetDatasetRequest(dataset=found.id))).dataset == found
    other = dc.DatasetID(project="p", domain="d", name="n", version="v", UUID=str(uuid.uuid4()))
    with refused("NOT_FOUND", "missing entity of type Dataset"):
        await stub.GetDataset(dc.GetDatasetRequest(dataset=other))
    with refused("ALREADY_EXISTS", "value with matching already exists"):
        await dataset(stub)
    with refused("NOT_FOUND"):
        await stub.GetDataset(dc.GetDatasetRequest(dataset=STRANGE))
    named = dc.DatasetID(project="p", domain="d", name="n2", version="v", UUID=str(uuid.uuid4()))
    await dataset(stub, named)
    assert (await stub.GetDataset(dc.GetDatasetRequest(dataset=named))).dataset.id == named
    named.name = "n3"
    with refused("ALREADY_EXISTS"):
        await dataset(stub, named)


@pytest.mark.parametrize(
    ("id_", "text"),
    [
        (None, "missing dataset"),
        (dc.DatasetID(domain="d", name="n", version="v"), "missing project"),
        (dc.DatasetID(project="p", name="n", version="v"), "missing domain"),
        (dc.DatasetID(project="p", domain="d", version="v"), "missing name"),
        (dc.DatasetID(project="p", domain="d", name="n"), "missing version"),
        (dc.DatasetID(project="p", domain="d", name="n" * 3000, version="v"), "the limit is 2000"),
        (dc.DatasetID(project="p\x00", domain="d", name="n", version="v"), "NUL"),
    ],
)
async def test_every_part_of_a_dataset_is_needed(stub, id_, text):
    for call in (
        stub.CreateDataset(dc.CreateDatasetRequest(dataset=dc.Dataset(id=id_, partitionKeys=["k"]))),
        stub.GetDataset(dc.GetDatasetRequest(dataset=id_)),
        stub.CreateArtifact(dc.CreateArtifactRequest(artifact=dc.Artifact(id="a", dataset=id_, data=data(o="1")))),
        stub.GetArtifact(dc.GetArtifactRequest(dataset=id_, tag_name="t")),
        stub.UpdateArtifact(dc.UpdateArtifactRequest(dataset=id_, tag_name="t", data=data(o="1"))),
        stub.ListArtifacts(dc.ListArtifactsRequest(dataset=id_)),
        stub.AddTag(dc.AddTagRequest(tag=dc.Tag(name="t", artifact_id="a", dataset=id_))),
    ):
        with refused("INVALID_ARGUMENT", text):
            await call


async def test_what_datasets_refuse(stub):
    with refused("INVALID_ARGUMENT", "missing dataset"):
        await stub.CreateDataset(dc.CreateDatasetRequest())
    with refused("INVALID_ARGUMENT", "Keys are not unique, occurrence count: map[a:2 b:1]"):
        await dataset(stub, partitionKeys=["a", "b", "a"])
    with refused("INVALID_ARGUMENT", "UUID"):
        await dataset(stub, dc.DatasetID(project="p", domain="d", name="n", version="v", UUID="nonsense"))


async def test_artifacts(stub, hand_clock):
    await dataset(stub, partitionKeys=["region", "day"])
    partitions = [dc.Partition(key="day", value="1"), dc.Partition(key="region", value="eu")]
    metadata = dc.Metadata(key_map={"exec-node": "n0"})
    await artifact(stub, tag="t1", data=data(b="2", a="1"), partitions=partitions, metadata=metadata)
    found = await get(stub, tag_name="t1")
    assert found == await get(stub, artifact_id="a1")
    assert found == (await stub.GetArtifact(dc.GetArtifactRequest(artifact_id="a1"))).artifact
    assert found.id == "a1"
    assert sorted((part.name, part.value.scalar.primitive.string_value) for part in found.data) == [
        ("a", "1"),
        ("b", "2"),
    ]
    assert (found.metadata, list(found.partitions)) == (metadata, partitions)
    assert found.created_at.ToDatetime(hand_clock.now().tzinfo) == hand_clock.now()
    assert [(tag.name, tag.artifact_id, tag.dataset) for tag in found.tags] == [("t1", "a1", found.dataset)]
    assert uuid.UUID(found.dataset.UUID)
    with refused("ALREADY_EXISTS"):
        await artifact(stub, partitions=partitions)
    with refused("NOT_FOUND", "missing entity of type Artifact"):
        await get(stub, artifact_id="never")
    with refused("NOT_FOUND", "missing entity of type Tag"):
        await get(stub, tag_name="never")
    with refused("NOT_FOUND"):
        await get(stub, STRANGE, artifact_id="a1")
    with refused("NOT_FOUND", "missing entity of type Dataset"):
        await artifact(stub, id_=STRANGE)


async def test_what_artifacts_refuse(stub):
    await dataset(stub, partitionKeys=["k"])
    good = [dc.Partition(key="k", value="1")]
    for fields, text in [
        ({"data": []}, "missing artifactData"),
        ({"name": ""}, "missing artifactID"),
        ({"name": "a" * 3000, "partitions": good}, "the limit is 2000"),
        ({"data": data(o="1") * 2, "partitions": good}, "stands twice"),
        ({"partitions": []}, "Partition key mismatch, dataset keys: [k], artifact Partitions: []"),
        ({"partitions": [dc.Partition(value="1")]}, "missing partitionKey[0]"),
        ({"data": [dc.ArtifactData(name="o")], "partitions": good}, "missing value of artifactData o"),
        ({"partitions": [dc.Partition(key="x", value="1")]}, "does not match dataset partition keys: map[k:false]"),
    ]:
        with refused("INVALID_ARGUMENT", text):
            await artifact(stub, **fields)
    with refused("INVALID_ARGUMENT", "missing artifact"):
        await stub.CreateArtifact(dc.CreateArtifactRequest())
    for request, text in [
        ({}, "missing one of artifactID/tagName"),
        ({"artifact_id": ""}, "missing artifactID"),
        ({"tag_name": ""}, "missing tagName"),
    ]:
        with refused("INVALID_ARGUMENT", text):
            await stub.GetArtifact(dc.GetArtifactRequest(dataset=ID, **request))
        with refused("INVALID_ARGUMENT", text):
            await stub.UpdateArtifact(dc.UpdateArtifactRequest(dataset=ID, data=data(o="1"), **request))


async def test_the_newest_artifact_of_an_id(stub, hand_clock):
    await dataset(stub)
    await dataset(stub, STRANGE)
    await artifact(stub, "same")
    hand_clock.advance(seconds=1)
    await artifact(stub, "same", STRANGE)
    found = (await stub.GetArtifact(dc.GetArtifactRequest(artifact_id="same"))).artifact
    assert found.dataset.name == "other"


async def test_tags(stub):
    await dataset(stub)
    await dataset(stub, STRANGE)
    await artifact(stub, "a1", tag="t")
    await artifact(stub, "a2")
    await artifact(stub, "a3", STRANGE, tag="t")
    for name in ("a1", "a2"):
        with refused("ALREADY_EXISTS"):
            await stub.AddTag(dc.AddTagRequest(tag=dc.Tag(name="t", artifact_id=name, dataset=ID)))
    with refused("NOT_FOUND", "missing entity of type Artifact"):
        await stub.AddTag(dc.AddTagRequest(tag=dc.Tag(name="t2", artifact_id="a3", dataset=ID)))
    with refused("NOT_FOUND", "missing entity of type Dataset"):
        never = dc.DatasetID(project="p", domain="d", name="never", version="v")
        await stub.AddTag(dc.AddTagRequest(tag=dc.Tag(name="t2", artifact_id="a3", dataset=never)))
    for tag, text in [
        (None, "missing tag"),
        (dc.Tag(artifact_id="a1", dataset=ID), "missing tagName"),
        (dc.Tag(name="t", dataset=ID), "missing artifactID"),
    ]:
        with refused("INVALID_ARGUMENT", text):
            await stub.AddTag(dc.AddTagRequest(tag=tag))
    assert (await get(stub, tag_name="t")).id == "a1"
    assert (await get(stub, STRANGE, tag_name="t")).id == "a3"


async def blob_count(blobs):
    return len([info async for info in blobs.list(blobs.join("metadata", "datacatalog"))])


async def test_update(stub, blobs, hand_clock):
    await dataset(stub)
    await artifact(stub, tag="t", metadata=dc.Metadata(key_map={"exec-node": "n0"}))
    created = (await get(stub, tag_name="t")).created_at
    hand_clock.advance(hours=1)
    large = data(o1="y" * 5000, o2="z")
    response = await stub.UpdateArtifact(
        dc.UpdateArtifactRequest(dataset=ID, tag_name="t", data=large, metadata=dc.Metadata(key_map={"k": "v"}))
    )
    assert response.artifact_id == "a1"
    found = await get(stub, tag_name="t")
    assert (list(found.data), dict(found.metadata.key_map), found.created_at) == (large, {"k": "v"}, created)
    assert await blob_count(blobs) == 1
    for _ in range(2):  # the same again changes nothing
        await stub.UpdateArtifact(dc.UpdateArtifactRequest(dataset=ID, artifact_id="a1", data=data(o1="w" * 5000)))
        assert list((await get(stub, tag_name="t")).data) == data(o1="w" * 5000)
        assert await blob_count(blobs) == 1
    await stub.UpdateArtifact(dc.UpdateArtifactRequest(artifact_id="a1", data=data(o1="small")))
    assert list((await get(stub, tag_name="t")).data) == data(o1="small")
    assert await blob_count(blobs) == 0
    with refused("INVALID_ARGUMENT", "missing artifactData"):
        await stub.UpdateArtifact(dc.UpdateArtifactRequest(dataset=ID, tag_name="t"))
    with refused("NOT_FOUND"):
        await stub.UpdateArtifact(dc.UpdateArtifactRequest(dataset=ID, tag_name="never", data=data(o="1")))


async def test_readers_beside_updates(stub, blobs):
    await dataset(stub)
    await artifact(stub, tag="t", data=data(o="a" * 2000))

    async def update():
        for letter in "bcdefgh":
            await stub.UpdateArtifact(dc.UpdateArtifactRequest(dataset=ID, tag_name="t", data=data(o=letter * 2000)))

    async def read():
        for _ in range(20):
            [part] = (await get(stub, tag_name="t")).data
            assert len(set(part.value.scalar.primitive.string_value)) == 1

    await asyncio.gather(update(), read(), read())
    assert await blob_count(blobs) == 1


def one(**filter_):
    return dc.FilterExpression(filters=[dc.SinglePropertyFilter(**filter_)])


def tagged(name):
    return {"tag_filter": dc.TagPropertyFilter(tag_name=name)}


def parted(key, value):
    return {"partition_filter": dc.PartitionPropertyFilter(key_val=dc.KeyValuePair(key=key, value=value))}


async def test_list_artifacts(stub, hand_clock):
    await dataset(stub, partitionKeys=["k"])
    await dataset(stub, STRANGE)
    await artifact(stub, "elsewhere", STRANGE, tag="t3")
    for number in range(5):
        hand_clock.advance(seconds=1)
        parts = [dc.Partition(key="k", value=str(number % 2))]
        await artifact(stub, f"a{number}", tag=f"t{number}", partitions=parts, data=data(o="x" * number * 500))

    async def ids(filter_=None, **pagination):
        options = dc.PaginationOptions(**pagination) if pagination else None
        answer = await stub.ListArtifacts(dc.ListArtifactsRequest(dataset=ID, filter=filter_, pagination=options))
        for found in answer.artifacts:
            number = int(found.id[1:])
            assert [tag.name for tag in found.tags] == [f"t{number}"]
            assert found.data[0].value.scalar.primitive.string_value == "x" * number * 500
        return [found.id for found in answer.artifacts], answer.next_token

    ascending = dc.PaginationOptions.ASCENDING
    assert await ids() == (["a4", "a3", "a2", "a1", "a0"], "5")
    assert await ids(limit=2) == (["a4", "a3"], "2")
    assert await ids(limit=2, token="2", sortOrder=ascending) == (["a2", "a3"], "4")
    assert await ids(limit=10, token="4") == (["a0"], "5")
    assert await ids(limit=10, token="5") == ([], "5")
    assert await ids(token="1") == ([], "1")  # a page of nothing, as asked for
    assert await ids(limit=2**32 - 1, token=" ", sortOrder=ascending) == (["a0", "a1", "a2", "a3", "a4"], "5")
    assert await ids(one(**tagged("t3"))) == (["a3"], "1")
    assert await ids(one(**parted("k", "1"))) == (["a3", "a1"], "2")
    assert await ids(one(artifact_filter=dc.ArtifactPropertyFilter(artifact_id="a2"))) == (["a2"], "1")
    assert await ids(one(**parted("k", "1"), operator=5)) == (["a3", "a1"], "2"), "every operator is Flyte's only one"
    both = dc.FilterExpression(filters=[*one(**tagged("t3")).filters, *one(**parted("k", "0")).filters])
    assert await ids(both) == ([], "0")
    assert await ids(one(**parted("other", "1"))) == ([], "0")
    for pagination, text in [
        ({"token": "x"}, "Invalid token value: x"),
        ({"token": "-1"}, "Invalid token value"),
        ({"token": "٣"}, "Invalid token value"),
        ({"token": str(2**40)}, "Invalid token value"),
        ({"token": "9" * 10000}, "Invalid token value"),
        ({"sortKey": 7}, "Invalid sort key 7"),
        ({"sortOrder": 7}, "Invalid sort order 7"),
    ]:
        with refused("INVALID_ARGUMENT", text):
            await ids(**pagination)
        with refused("INVALID_ARGUMENT", text):
            await stub.ListDatasets(dc.ListDatasetsRequest(pagination=dc.PaginationOptions(**pagination)))
    for filter_, text in [
        ({"dataset_filter": dc.DatasetPropertyFilter(name="n")}, "Artifact cannot be filtered by Dataset properties"),
        ({}, "no such entity"),
        ({"tag_filter": dc.TagPropertyFilter()}, "names no property"),
        (tagged(""), "missing TagName"),
        (parted("", "1"), "missing PartitionKey"),
        (parted("k", ""), "missing PartitionValue"),
    ]:
        with refused("INVALID_ARGUMENT", text):
            await ids(one(**filter_))
    with refused("NOT_FOUND", "missing entity of type Dataset"):
        never = dc.DatasetID(project="p", domain="d", name="never", version="v")
        await stub.ListArtifacts(dc.ListArtifactsRequest(dataset=never))


async def test_list_datasets(stub, hand_clock):
    for number in range(5):
        hand_clock.advance(seconds=1)
        id_ = dc.DatasetID(project=f"p{number % 2}", domain="d", name=f"n{number}", version="v")
        await dataset(stub, id_, partitionKeys=["k"])

    async def names(filters=(), **pagination):
        expression = dc.FilterExpression(filters=[dc.SinglePropertyFilter(dataset_filter=f) for f in filters])
        answer = await stub.ListDatasets(
            dc.ListDatasetsRequest(
                filter=expression, pagination=dc.PaginationOptions(**pagination) if pagination else None
            )
        )
        assert all(found.id.UUID and found.partitionKeys == ["k"] for found in answer.datasets)
        return [found.id.name for found in answer.datasets], answer.next_token

    of = dc.DatasetPropertyFilter
    assert await names() == (["n4", "n3", "n2", "n1", "n0"], "5")
    assert await names([of(project="p1")]) == (["n3", "n1"], "2")
    assert await names([of(project="p1"), of(name="n1"), of(domain="d"), of(version="v")]) == (["n1"], "1")
    assert await names([of(project="p1"), of(project="p0")]) == ([], "0")
    assert await names(limit=2, token="1", sortOrder=dc.PaginationOptions.ASCENDING) == (["n1", "n2"], "3")
    for filter_ in (of(), of(org="o")):
        with refused("INVALID_ARGUMENT"):
            await names([filter_])
    for filter_, entity in [(tagged("t"), "Tag"), (parted("k", "v"), "Partition")]:
        with refused("INVALID_ARGUMENT", f"Dataset cannot be filtered by {entity} properties"):
            await stub.ListDatasets(dc.ListDatasetsRequest(filter=one(**filter_)))


async def test_reservations(stub, hand_clock):
    place = dc.ReservationID(dataset_id=ID, tag_name="t")

    async def claim(owner, seconds=None):
        request = dc.GetOrExtendReservationRequest(reservation_id=place, owner_id=owner)
        if seconds is not None:
            request.heartbeat_interval.FromNanoseconds(int(seconds * 1e9))
        return (await stub.GetOrExtendReservation(request)).reservation

    def left(reservation):
        return (reservation.expires_at.ToDatetime(hand_clock.now().tzinfo) - hand_clock.now()).total_seconds()

    first = await claim("one", 2)
    assert (first.reservation_id, first.owner_id, first.heartbeat_interval.seconds) == (place, "one", 2)
    assert left(first) == 6
    other = await claim("two", 3)
    assert (other.owner_id, left(other)) == ("one", 6)
    hand_clock.advance(seconds=5)
    assert left(await claim("one", 100)) == 30, "extended, by at most three times the longest heartbeat"
    assert left(await claim("one")) == 30
    hand_clock.advance(seconds=29)
    assert (await claim("two")).owner_id == "one"
    hand_clock.advance(seconds=2)
    assert (await claim("two", 0.5)).owner_id == "two"
    release = dc.ReleaseReservationRequest(reservation_id=place, owner_id="one")
    await stub.ReleaseReservation(release)
    assert (await claim("three")).owner_id == "two", "only its holder can release it"
    release.owner_id = "two"
    await stub.ReleaseReservation(release)
    await stub.ReleaseReservation(release)
    assert (await claim("three")).owner_id == "three"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"owner_id": "o"},
        {"reservation_id": dc.ReservationID(tag_name="t"), "owner_id": "o"},
        {"reservation_id": dc.ReservationID(dataset_id=ID), "owner_id": "o"},
        {"reservation_id": dc.ReservationID(dataset_id=ID, tag_name="t")},
    ],
)
async def test_what_is_empty_of_a_reservation_is_a_name_like_others(stub, fields):
    for _ in range(2):
        found = (await stub.GetOrExtendReservation(dc.GetOrExtendReservationRequest(**fields))).reservation
        wanted = fields.get("reservation_id", dc.ReservationID())
        assert (found.owner_id, found.reservation_id.tag_name) == (fields.get("owner_id", ""), wanted.tag_name)
        assert found.reservation_id.dataset_id == wanted.dataset_id
    await stub.ReleaseReservation(dc.ReleaseReservationRequest(**fields))
    other = dc.GetOrExtendReservationRequest(**fields | {"owner_id": "other"})
    assert (await stub.GetOrExtendReservation(other)).reservation.owner_id == "other"


async def test_what_reservations_refuse(stub):
    place = dc.ReservationID(dataset_id=ID, tag_name="t")
    request = dc.GetOrExtendReservationRequest(reservation_id=place, owner_id="o")
    for seconds, nanos in [(-1, 0), (0, -1), (2**62, 0), (0, 2**30), (-(2**63), 0)]:
        request.heartbeat_interval.seconds, request.heartbeat_interval.nanos = seconds, nanos
        with refused("INVALID_ARGUMENT"):
            await stub.GetOrExtendReservation(request)


async def test_one_of_many_gets_the_reservation(stub):
    request = dc.GetOrExtendReservationRequest(reservation_id=dc.ReservationID(dataset_id=ID, tag_name="t"))

    async def claim(owner):
        request.owner_id = owner
        return (await stub.GetOrExtendReservation(request)).reservation.owner_id

    for _ in range(10):
        holders = await asyncio.gather(*(claim(f"o{number}") for number in range(20)))
        assert len(set(holders)) == 1
        await stub.ReleaseReservation(
            dc.ReleaseReservationRequest(reservation_id=request.reservation_id, owner_id=holders[0])
        )


async def test_reservations_left_behind_go_at_the_next_start(stub, database, blobs, hand_clock):
    place = dc.ReservationID(dataset_id=ID, tag_name="t")
    await stub.GetOrExtendReservation(dc.GetOrExtendReservationRequest(reservation_id=place, owner_id="dead"))
    for hours, left in [(0.9, 1), (1, 0)]:
        hand_clock.advance(hours=hours)
        async with service.open_datacatalog(
            database=database, blobs=blobs, settings=settings.DatacatalogSettings(), clock=hand_clock
        ):
            assert await database.fetch_value("SELECT count(*) FROM datacatalog.reservations") == left
