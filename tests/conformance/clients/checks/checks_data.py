"""Values, files, folders and tables, both ways."""

import datetime
import pathlib
import sys

import pandas
from absent import Absent
from session import FLOWS, FLYTEKIT, equal

sys.path.insert(0, str(FLOWS))

NEW_YEAR = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


def check_primitives(s):
    inputs = {"i": 2, "f": 0.25, "s": "a", "b": False, "at": NEW_YEAR, "d": datetime.timedelta(seconds=1.5)}
    outputs = s.run("values.primitive_values", inputs).outputs
    expected = [3, 0.5, "a!", True, NEW_YEAR + datetime.timedelta(seconds=1.5), datetime.timedelta(seconds=3)]
    equal([outputs[f"o{number}"] for number in range(6)], expected)
    equal(s.run("values.primitive_values").outputs["o0"], 2)


def check_collections(s):
    outputs = s.run("values.collection_values", {"numbers": [1, 2, 3], "named": {"a": [0.5]}}).outputs
    equal(outputs["o0"], [3, 2, 1])
    equal(outputs["o1"], {"a": [0.5], "more": [1.0]})


def check_unions(s):
    outputs = s.run("values.union_values", {"a": 3, "b": "text"}).outputs
    equal((outputs["o0"], outputs["o1"]), (None, "str"))


def check_enum(s):
    equal(s.run("values.enum_values").outputs.get("o0", str), "blue")


def check_dataclass(s):
    from client_flows.values import Point

    outputs = s.run("values.dataclass_values", {"x": 4}).outputs
    point = outputs.get("o0", Point)
    equal((point.x, point.y, point.names, point.inner), (5, 2.0, ["a", "b"], {"k": 4}))
    equal(outputs["o1"], "2.0 a-b a")
    literal = outputs.literals["o0"].scalar
    return "msgpack" if getattr(literal, "binary", None) else "Struct"


def check_dataclass_given(s):
    from client_flows.values import Point

    equal(s.run("values.dataclass_given", {"point": Point(x=9)}, type_hints={"point": Point}).outputs["o0"], 9)


def check_dict(s):
    equal(s.run("values.dict_values", {"d": {"a": [1, {"b": None}]}}).outputs.get("o0", dict)["seen"], True)


def check_pickle(s):
    equal(s.run("values.pickled_values", {"number": 6}).outputs["o0"], 6)


def check_file(s):
    from flytekit.types.file import FlyteFile

    outputs = s.run("data.files", {"text": "hello"}).outputs
    equal(outputs["o1"], "hello")
    file = outputs.get("o0", FlyteFile)
    equal(pathlib.Path(str(file.download())).read_text(), "hello")


def check_file_given(s):
    from flytekit.types.file import FlyteFile

    path = s.folder / "given.txt"
    path.write_text("from the client")
    equal(s.run("data.file_given", {"file": FlyteFile(str(path))}).outputs["o0"], "from the client")


def check_folder(s):
    from flytekit.types.directory import FlyteDirectory

    outputs = s.run("data.folders", {"texts": ["a", "b"]}).outputs
    equal(outputs["o1"], ["a", "b"])
    folder = pathlib.Path(str(outputs.get("o0", FlyteDirectory).download()))
    equal((folder / "1" / "text").read_text(), "b")


def check_folder_given(s):
    from flytekit.types.directory import FlyteDirectory

    if FLYTEKIT < (1, 11):
        raise Absent("it uploads the files, but leaves the address of the folder empty (with Flyte too)")
    folder = s.folder / "given"
    folder.mkdir(exist_ok=True)
    (folder / "one").write_text("1")
    (folder / "two").write_text("2")
    equal(s.run("data.folder_given", {"folder": FlyteDirectory(str(folder))}).outputs["o0"], ["1", "2"])


def check_structured_dataset(s):
    outputs = s.run("data.tables", {"rows": 5}).outputs
    equal(outputs["o1"], 10)
    equal(list(outputs.get("o0", pandas.DataFrame)["n"]), [0, 1, 2, 3, 4])
    columns = outputs.literals["o2"].scalar.structured_dataset.metadata.structured_dataset_type.columns
    equal([column.name for column in columns], ["n"])


def check_structured_dataset_given(s):
    table = pandas.DataFrame({"n": [1, 2], "s": ["a", "b"]})
    done = s.run("data.table_given", {"table": table}, type_hints={"table": pandas.DataFrame})
    equal(done.outputs["o0"], 3)


def check_signed_download(s):
    done = s.run("data.files", {"text": "signed"})
    uri = f"flyte://v1/flytesnacks/development/{done.id.name}/n1/o"
    literals = s.remote.get(uri)
    assert literals is not None
    return "flyte:// addresses"


def check_old_struct_form(s):
    """Data from before 1.14, which newer flytekits still read and write when told to."""
    import os

    from client_flows.values import Point

    if FLYTEKIT < (1, 14):
        return "the only form"
    os.environ["FLYTE_USE_OLD_DC_FORMAT"] = "true"
    try:
        done = s.run("values.dataclass_given", {"point": Point(x=7)}, type_hints={"point": Point})
        equal(done.outputs["o0"], 7)
    finally:
        del os.environ["FLYTE_USE_OLD_DC_FORMAT"]
    return "FLYTE_USE_OLD_DC_FORMAT"
