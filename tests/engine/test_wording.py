"""Values in messages are written as Flyte writes them."""

import pytest
from engine_graphs import literal_map

from volant_engine.decide import wording
from volantidl.core import literals_pb2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (literal_map(a=1).literals, "map[a:scalar:{primitive:{integer:1}}]"),
        (literal_map(b=2, a=1).literals, "map[a:scalar:{primitive:{integer:1}} b:scalar:{primitive:{integer:2}}]"),
        ([literal_map(a=1).literals["a"]], "[scalar:{primitive:{integer:1}}]"),
        (literals_pb2.Primitive(string_value='a "ü"\n'), r'string_value:"a \"ü\"\n"'),
        (literals_pb2.Binary(value=b"\x81", tag="msgpack"), r'value:"\201" tag:"msgpack"'),
        (
            literals_pb2.LiteralMap(literals={"a": literals_pb2.Literal(hash="h")}),
            'literals:{key:"a" value:{hash:"h"}}',
        ),
        ({"b": [1, 2.5, True], "a": None}, "map[a:<nil> b:[1 2.5 true]]"),
    ],
)
def test_values_are_written_as_flyte_writes_them(value, text):
    assert wording.of(value) == text
