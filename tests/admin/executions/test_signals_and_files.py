"""Signals, uploads, downloads, the version, the pages."""

import base64
import datetime
import hashlib

import aiohttp.test_utils
import aiohttp.web
import pytest
import scripted
from google.protobuf import duration_pb2
from scripted import Execution, Node, Task, node, part, phase, task

from volant_core import errors
from volant_core.rpc import call
from volantidl.admin import signal_pb2, version_pb2
from volantidl.core import identifier_pb2
from volantidl.service import dataproxy_pb2


def signal_id(name: str = "go", execution: str = "run") -> identifier_pb2.SignalIdentifier:
    return identifier_pb2.SignalIdentifier(signal_id=name, execution_id=scripted.execution_id(execution))


async def test_a_signal_is_made_once_set_and_pushed(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    await platform.create("run")
    await engine.given()
    with pytest.raises(errors.InvalidArgumentError, match="failed to validate that signal"):
        await call(platform.signals.SetSignal(signal_pb2.SignalSetRequest(id=signal_id(), value=scripted.integer(1))))
    create = signal_pb2.SignalGetOrCreateRequest(id=signal_id(), type=scripted.INTEGER)
    made = await call(platform.signals.GetOrCreateSignal(create))
    assert made == signal_pb2.Signal(id=signal_id(), type=scripted.INTEGER)
    create.type.CopyFrom(scripted.STRING)
    with pytest.raises(errors.AlreadyExistsError, match=r"\[go\] .* of type \[INTEGER\] instead of \[STRING\]"):
        await call(platform.signals.GetOrCreateSignal(create))
    create.type.CopyFrom(scripted.INTEGER)
    with pytest.raises(errors.InvalidArgumentError, match="is not castable to existing signal type"):
        await call(platform.signals.SetSignal(signal_pb2.SignalSetRequest(id=signal_id(), value=scripted.text("x"))))
    for value in (1, 2):
        await call(
            platform.signals.SetSignal(signal_pb2.SignalSetRequest(id=signal_id(), value=scripted.integer(value)))
        )
        heard = (await engine.hear()).signal
        assert (heard.id.name, heard.signal_id) == ("run", "go")
        assert heard.value == scripted.integer(value).SerializeToString()
    assert (await call(platform.signals.GetOrCreateSignal(create))).value == scripted.integer(2)
    request = signal_pb2.SignalListRequest(workflow_execution_id=scripted.execution_id("run"), limit=5)
    assert [one.id.signal_id for one in (await call(platform.signals.ListSignals(request))).signals] == ["go"]
    request.filters = "eq(signal_id,stop)"
    assert not (await call(platform.signals.ListSignals(request))).signals
    # An engine that attaches again hears of it again.
    await engine.drop()
    again = await platform.engine()
    await again.given()
    assert (await again.hear()).signal.signal_id == "go"


async def test_malformed_signals_are_refused(platform: scripted.Platform) -> None:
    await platform.create("run")
    for request in (
        signal_pb2.SignalGetOrCreateRequest(),
        signal_pb2.SignalGetOrCreateRequest(id=signal_id("")),
        signal_pb2.SignalGetOrCreateRequest(id=signal_id()),
        signal_pb2.SignalGetOrCreateRequest(id=signal_id("s" * 300), type=scripted.INTEGER),
    ):
        with pytest.raises(errors.InvalidArgumentError):
            await call(platform.signals.GetOrCreateSignal(request))
    with pytest.raises(errors.NotFoundError):
        await call(
            platform.signals.GetOrCreateSignal(
                signal_pb2.SignalGetOrCreateRequest(id=signal_id(execution="nothere"), type=scripted.INTEGER)
            )
        )


MD5 = hashlib.md5(b"content").digest()


async def upload(platform: scripted.Platform, **fields: object) -> dataproxy_pb2.CreateUploadLocationResponse:
    request = dataproxy_pb2.CreateUploadLocationRequest(**{"project": "flytesnacks", "domain": "development", **fields})
    return await call(platform.dataproxy.CreateUploadLocation(request))


async def test_uploads_are_placed_by_content_or_root(platform: scripted.Platform) -> None:
    by_content = await upload(platform, content_md5=MD5, filename="fast.tar.gz", add_content_md5_metadata=True)
    folder = base64.b32encode(MD5).decode()
    assert by_content.native_url == f"s3://volant/flytesnacks/development/{folder}/fast.tar.gz"
    assert by_content.signed_url.startswith("http://localhost:30002/volant/flytesnacks/development/")
    assert by_content.headers["Content-Length"] == "24", "that of the hash, as Flyte says"
    assert by_content.headers["Content-MD5"] == base64.b64encode(MD5).decode()
    assert by_content.headers["x-amz-meta-flyteContentMD5"] == base64.b64encode(MD5).decode()
    assert by_content.expires_at.ToDatetime(datetime.UTC) == scripted.START + datetime.timedelta(hours=1)
    frame = await upload(platform, filename_root="00000")
    prefix, name = frame.native_url.rsplit("/", 1)
    assert prefix == "s3://volant/flytesnacks/development/00000"
    assert len(name) == 20
    assert frame.headers == {"Content-Length": "0", "Content-MD5": ""}
    nobodys = await upload(platform, project="nobody", domain="moon", content_md5=b"abc", filename="x")
    assert nobodys.native_url == "s3://volant/nobody/moon/MFRGG===/x"
    assert nobodys.headers == {"Content-Length": "4", "Content-MD5": "YWJj"}


async def test_only_the_same_content_may_overwrite(platform: scripted.Platform) -> None:
    named = {"filename_root": "root", "filename": "file"}
    first = await upload(platform, content_md5=MD5, **named)
    await platform.blobs.put(first.native_url, b"content")
    assert (await upload(platform, content_md5=MD5, **named)).native_url == first.native_url
    for md5 in (b"", hashlib.md5(b"other").digest()):
        with pytest.raises(errors.AlreadyExistsError, match="specify a matching hash if you wish to rewrite"):
            await upload(platform, content_md5=md5, **named)
    # What the upload said of itself counts more than the store's own tag.
    stated = {"flytecontentmd5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}
    await platform.blobs.put(first.native_url, b"content", metadata=stated)
    with pytest.raises(errors.AlreadyExistsError):
        await upload(platform, content_md5=MD5, **named)
    await upload(platform, content_md5=hashlib.md5(b"other").digest(), **named)


BAD_UPLOADS: list[tuple[dict[str, object], str]] = [
    ({"project": "", "content_md5": MD5}, "project and domain are required"),
    ({}, "content_md5 or filename_root is a required parameter"),
    ({"project": "metadata", "filename_root": "propeller"}, "project \\[metadata\\] not found"),
    ({"project": "data", "domain": "ab", "filename_root": "r"}, "project \\[data\\] not found"),
    ({"org": "metadata/propeller", "filename_root": "r"}, "metadata is the platform's own"),
    ({"project": "/metadata", "filename_root": "r"}, "metadata is the platform's own"),
    ({"project": "/", "domain": "data/ab", "filename_root": "r"}, "data is the platform's own"),
    ({"project": "/", "domain": "/", "filename_root": "metadata/r"}, "metadata is the platform's own"),
    ({"filename_root": "r", "expires_in": duration_pb2.Duration(seconds=3601)}, "cannot exceed max allowed"),
    ({"filename_root": "r", "expires_in": duration_pb2.Duration(seconds=-1)}, "must be more than 0"),
    ({"filename_root": "r" * 300}, "too long"),
]


async def test_bad_uploads_are_refused(platform: scripted.Platform) -> None:
    for fields, complaint in BAD_UPLOADS:
        with pytest.raises(errors.InvalidArgumentError, match=complaint):
            await upload(platform, **fields)


async def test_decks_are_linked_when_they_are_there(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    await platform.create("run")
    given = await engine.given()
    await platform.blobs.put("s3://volant/deck.html", b"<p>deck</p>")
    await engine.report(
        part(
            given,
            nodes=[
                node("n0", deck_uri="s3://volant/deck.html"),
                node("n1"),
                node("n2", deck_uri="s3://volant/nothere.html"),
            ],
        )
    )

    async def link(id_: str, kind: int = dataproxy_pb2.ARTIFACT_TYPE_DECK) -> dataproxy_pb2.CreateDownloadLinkResponse:
        request = dataproxy_pb2.CreateDownloadLinkRequest(
            artifact_type=kind, node_execution_id=scripted.node_id("run", id_)
        )
        return await call(platform.dataproxy.CreateDownloadLink(request))

    found = await link("n0")
    assert found.signed_url[0].startswith("http://localhost:30002/volant/deck.html?")
    assert found.pre_signed_urls.signed_url == found.signed_url
    for missing in ("n1", "n2"):
        with pytest.raises(errors.NotFoundError):
            await link(missing)
    with pytest.raises(errors.InvalidArgumentError, match="failed to find node execution"):
        await link("n9")
    with pytest.raises(errors.InvalidArgumentError, match="invalid artifact type"):
        await link("n0", 0)
    address = "flyte://v1/flytesnacks/development/run/n0"
    data = await call(platform.dataproxy.GetData(dataproxy_pb2.GetDataRequest(flyte_url=f"{address}/d")))
    assert data.pre_signed_urls.signed_url == found.signed_url
    for bad in ("", "http://x", "flyte://v1/a/b", f"{address}/0/d", f"{address}/o/nothere", f"{address}/99999999999/i"):
        with pytest.raises(errors.InvalidArgumentError):
            await call(platform.dataproxy.GetData(dataproxy_pb2.GetDataRequest(flyte_url=bad)))
    location = await call(
        platform.dataproxy.CreateDownloadLocation(
            dataproxy_pb2.CreateDownloadLocationRequest(native_url="s3://volant/deck.html")
        )
    )
    assert location.signed_url == found.signed_url[0]
    for bad in ("", "file:///etc/passwd"):
        with pytest.raises(errors.InvalidArgumentError):
            await call(
                platform.dataproxy.CreateDownloadLocation(dataproxy_pb2.CreateDownloadLocationRequest(native_url=bad))
            )


async def test_the_version_is_one_that_flytekit_takes(platform: scripted.Platform) -> None:
    version = (await call(platform.admin.GetVersion(version_pb2.GetVersionRequest()))).control_plane_version.Version
    assert version == "unknown" or version.startswith("v")


async def test_the_pages_show_what_runs_and_escape_it(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    await platform.create("run")
    given = await engine.given()
    hostile = "<script>alert('x')</script>"
    await platform.blobs.put("s3://volant/deck.html", b"deck")
    await engine.report(
        part(
            given,
            record=phase(Execution.FAILED, error={"code": hostile, "message": hostile}),
            nodes=[
                node("n0", Node.FAILED, error={"message": hostile}, is_parent=True, deck_uri="s3://volant/deck.html"),
                node("n0-0-n1", parent_node_id="n0", child_execution=scripted.execution_id("child")),
                node(
                    hostile,
                    inputs=scripted.literals_pb2.LiteralMap(
                        literals={hostile: scripted.text(hostile)}
                    ).SerializeToString(),
                ),
            ],
            tasks=[task(value=Task.FAILED, reasons=[{"reason": hostile}], logs=[{"uri": "javascript:alert(1)"}])],
            elements=[{"node_id": "n0", "index": 3, "phase": Task.FAILED, "external_id": hostile}],
        )
    )
    app = aiohttp.web.Application()
    app.add_routes(platform.opened.routes)
    async with aiohttp.test_utils.TestClient(aiohttp.test_utils.TestServer(app)) as client:
        base = "/console/projects/flytesnacks/domains/development/executions"
        quoted = "%3Cscript%3Ealert('x')%3C%2Fscript%3E"
        for path, expected in (
            ("/console", "flytesnacks"),
            (base, "FAILED"),
            (f"{base}/run", "n0-0-n1"),
            (f"{base}/run/nodes/n0", "Attempt 0"),
            (f"{base}/run/nodes/{quoted}", "Inputs"),
        ):
            response = await client.get(path)
            shown = await response.text()
            assert response.status == 200, shown
            assert expected in shown
            assert '<nav><a href="/console">Volant</a>' in shown
            assert "<script" not in shown
            assert 'href="javascript' not in shown
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        deck = await client.get(f"{base}/run/nodes/n0/deck", allow_redirects=False)
        assert deck.status == 302
        assert deck.headers["Location"].startswith("http://localhost:30002/volant/deck.html?")
        for path, status in (
            (f"{base}/nothere", 404),
            (f"{base}/run/nodes/n9", 404),
            (f"{base}?token=x", 400),
            (f"{base}/a%00b", 400),
        ):
            assert (await client.get(path)).status == status
