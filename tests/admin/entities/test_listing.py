"""The filter language, over tasks on a real database."""

import datetime

import pytest
from entity_requests import refused, task
from hypothesis import given
from hypothesis import strategies as st

from volant_admin import listing
from volant_admin.attributes import store as attribute_store
from volant_admin.description_entities import store as description_store
from volant_admin.launch_plans import store as launch_plan_store
from volant_admin.listing import terms
from volant_admin.named_entities import store as named_entity_store
from volant_admin.projects import store as project_store
from volant_admin.tasks import store as task_store
from volant_admin.workflows import store as workflow_store
from volant_core import errors
from volantidl.admin import common_pb2

SCOPE = common_pb2.NamedEntityIdentifier(project="flytesnacks", domain="development")
ASCENDING = common_pb2.Sort.ASCENDING


def ask(filters: str = "", limit: int = 100, token: str = "", key: str = "", direction: int = 0, name: str = ""):
    request = common_pb2.ResourceListRequest(id=SCOPE, filters=filters, limit=limit, token=token)
    request.id.name = name
    if key:
        request.sort_by.CopyFrom(common_pb2.Sort(key=key, direction=direction))
    return request


@pytest.fixture
async def names(stub):
    """Tasks a, b, c.d and e_f, the first in two versions; a function that lists `name:version`."""
    for name, version, kind in (
        ("a", "1", "spark"),
        ("a", "2", "x"),
        ("b", "1", "x"),
        ("c.d", "1", "x"),
        ("e_f", "1", "y"),
    ):
        request = task(name, version)
        request.spec.template.type = kind
        request.spec.description.short_description = f"does {name}"
        await stub.CreateTask(request)

    async def listed(*arguments, **options) -> list[str]:
        page = await stub.ListTasks(ask(*arguments, **options))
        return [f"{one.id.name}:{one.id.version}" for one in page.tasks]

    return listed


async def test_without_a_wish_the_order_is_that_of_registration(names):
    assert await names() == ["a:1", "a:2", "b:1", "c.d:1", "e_f:1"]
    assert await names(name="a") == ["a:1", "a:2"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("eq(name,b)", ["b:1"]),
        ("eq(name, b)", ["b:1"]),
        ("eq(task.name,b)", ["b:1"]),
        ("ne(name,a)", ["b:1", "c.d:1", "e_f:1"]),
        ("contains(name,.)", ["c.d:1"]),
        ("not_like(name,a%)+eq(type,x)", ["b:1", "c.d:1"]),
        ("value_in(name,a;b)+eq(version,1)", ["a:1", "b:1"]),
        ("value_not_in(name,a;b;c.d)", ["e_f:1"]),
        ("value_in(name,b)", ["b:1"]),
        ("gt(name,b)", ["c.d:1", "e_f:1"]),
        ("gte(name,b)+lt(name,e)", ["b:1", "c.d:1"]),
        ("lte(name,a)", ["a:1", "a:2"]),
        ("contains(short_description,does c)", ["c.d:1"]),
        ("gt(created_at,2001-02-03T04:05:06.123456789Z)+eq(name,b)", ["b:1"]),
        ("lt(created_at,2001-02-03T04:05:06-02:00)", []),
        ("gt(id,0)+eq(type,spark)", ["a:1"]),
        ("contains(id,99999)", []),
        ("ne(digest,00ff)+eq(name,b)", ["b:1"]),
    ],
)
async def test_filters(names, filters, expected):
    assert await names(filters) == expected


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        ("name", "invalid value for filters"),
        ("eq(name)", "invalid value for filters"),
        ("eq(name,)", "invalid value for filters"),
        ("(name,b)", "invalid value for filters"),
        ("eq(name,b)+", "invalid value for filters"),
        ("like(name,b)", "unrecognized filter function: like"),
        ("eq(color,red)", "'task.color' is invalid filter"),
        ("eq(workflow.name,b)", "'workflow' entity is not allowed in filters"),
        ("eq(created_at,yesterday)", "Timestamp yesterday must conform to RFC3339 Nano spec"),
        ("eq(created_at,9999-12-31T23:59:59-23:00)", "must conform"),
        ("eq(name,x(y,z))", "unrecognized filter function: eq(name,x"),
        ("eq(id,one)", "'one' is not a valid filter value: expected an integer"),
        ("eq(id,99999999999999999999)", "expected an integer"),
        ("eq(digest,xyz)", "expected hex digits"),
        ("+".join(["eq(name,b)"] * 201), "more than 200 terms"),
    ],
)
async def test_wrong_filters_are_refused_with_the_reason(stub, filters, text):
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.ListTasks(ask(filters))
    assert text in refusal.text


async def test_sorting(stub, names):
    assert await names(key="name", direction=ASCENDING) == ["a:1", "a:2", "b:1", "c.d:1", "e_f:1"]
    assert await names(key="name") == ["e_f:1", "c.d:1", "b:1", "a:2", "a:1"]
    assert (await names(key="created_at"))[0] == "e_f:1"
    for key, direction, text in (
        ("color", 0, "invalid sort key 'color'"),
        ("name", 7, "invalid sort order specified: 7 for name"),
    ):
        with refused("INVALID_ARGUMENT") as refusal:
            await stub.ListTasks(ask(key=key, direction=direction))
        assert refusal.text == text


async def test_pages_are_whole_and_a_full_one_has_a_token(stub, names):
    found, token = [], ""
    for _ in range(3):
        page = await stub.ListTasks(ask(limit=2, token=token, key="type", direction=ASCENDING))
        found += [f"{one.id.name}:{one.id.version}" for one in page.tasks]
        token = page.token
    assert token == ""
    assert sorted(found) == sorted(await names())
    assert (await stub.ListTasks(ask(limit=5))).token == "5"
    assert (await stub.ListTasks(ask(limit=5, token="5"))).token == ""


async def test_wrong_pages_are_refused(stub):
    for request, text in (
        (ask(limit=0), "invalid value for limit"),
        (ask(token="x"), "invalid pagination token x for ListTasks"),
        (ask(token="-1"), "invalid pagination token -1 for ListTasks"),
        (ask(token="9" * 30), "invalid pagination token"),
        (common_pb2.ResourceListRequest(limit=1), "missing id"),
    ):
        with refused("INVALID_ARGUMENT") as refusal:
            await stub.ListTasks(request)
        assert text in refusal.text
    assert not (await stub.ListTasks(ask(limit=2**32 - 1, token=str(2**63 - 1)))).tasks


@given(st.text(alphabet="ab(),; +\x00\n=", max_size=30))
def test_any_text_is_a_term_or_a_refusal(text):
    try:
        found = terms.parse(text)
    except errors.InvalidArgumentError:
        return
    assert found.values


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_refusal(text):
    for kind in listing.Kind:
        try:
            listing.Column("c", kind).value(text)
        except errors.InvalidArgumentError as error:
            assert error.message  # noqa: PT017


def test_hostile_filters_take_no_time():
    with pytest.raises(errors.InvalidArgumentError):
        terms.parse("(" * 2_000_000 + ",")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1.5", 1.5), ("90s", 90), ("1h2m3.5s", 3723.5), ("100ms", 0.1), ("-3", -3), ("0", 0), (".5m", 30)],
)
def test_durations(text, seconds):
    assert listing.parse_duration(text) == datetime.timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "x", "1y", "s", "1e400", "1h-2m", "9" * 40])
def test_wrong_durations(text):
    with pytest.raises(errors.InvalidArgumentError):
        listing.parse_duration(text)


STORES = (
    attribute_store,
    description_store,
    launch_plan_store,
    named_entity_store,
    project_store,
    task_store,
    workflow_store,
)


async def test_the_database_understands_every_statement(database):
    async with database.connection() as connection:
        for store in STORES:
            for name, statement in store.QUERIES.items():
                await connection.execute(f"PREPARE {name} AS {statement}")


async def test_the_database_understands_every_column_of_every_listing(database):
    samples = {
        listing.Kind.TEXT: "a",
        listing.Kind.INTEGER: "1",
        listing.Kind.BOOLEAN: "true",
        listing.Kind.TIMESTAMP: "2001-02-03T04:05:06Z",
        listing.Kind.DURATION: "1s",
        listing.Kind.BYTES: "00",
    }
    bases = {
        project_store: ("list_projects", []),
        task_store: ("list_tasks", ["p", "d"]),
        workflow_store: ("list_workflows", ["p", "d"]),
        launch_plan_store: ("list_launch_plans", ["p", "d"]),
        named_entity_store: ("list_named_entities", [1, "p", "d"]),
        description_store: ("list_description_entities", [1, "p", "d", "n"]),
    }
    for store, (query, arguments) in bases.items():
        one: listing.Listing = store.LISTING
        fields = list(one.columns.items())
        fields += [
            (f"{join}.{name}", column) for join, made in one.joins.items() for name, column in made.columns.items()
        ]
        for field, column in fields:
            for function in terms.FUNCTIONS:
                statement = one.statement(
                    store.QUERIES[query],
                    arguments,
                    method="List",
                    limit=5,
                    token="1",
                    filters=f"{function}({field},{samples[column.kind]})",
                    sort_by=common_pb2.Sort(key=field) if "." not in field else None,
                )
                assert await database.fetch(statement.sql, *statement.arguments) == []
