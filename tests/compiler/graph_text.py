"""Graphs in a few words: what the tests of the compiler write them with."""

from google.protobuf import text_format

from volantidl.core import compiler_pb2, identifier_pb2, interface_pb2, tasks_pb2, types_pb2, workflow_pb2

TYPES = {
    "int": "simple: INTEGER",
    "float": "simple: FLOAT",
    "str": "simple: STRING",
    "none": "simple: NONE",
    "struct": "simple: STRUCT",
    "list": "collection_type { simple: INTEGER }",
    "map": "map_value_type { simple: INTEGER }",
    "optional": "union_type { variants { simple: INTEGER } variants { simple: NONE } }",
    "either": "union_type { variants { simple: INTEGER } variants { simple: STRING } }",
    "lists": "union_type { variants { collection_type { simple: 1 } } variants { collection_type { simple: 3 } } }",
    "color": 'enum_type { values: "red" values: "blue" }',
    "csv": 'blob { format: "csv" }',
    "png": 'blob { format: "png" }',
    "row": 'simple: STRUCT structure { dataclass_type { key: "a" value { simple: INTEGER } } }',
    "frame": 'structured_dataset_type { columns { name: "a" literal_type { simple: INTEGER } } }',
    "wide": 'structured_dataset_type { columns { name: "b" literal_type { simple: INTEGER } } }',
}


def type_of(name: str) -> types_pb2.LiteralType:
    return text_format.Parse(TYPES[name], types_pb2.LiteralType())


def interface(inputs: str, outputs: str) -> interface_pb2.TypedInterface:
    """`x:int y:str` for each."""
    made = interface_pb2.TypedInterface()
    for text, variables in ((inputs, made.inputs.variables), (outputs, made.outputs.variables)):
        for one in text.split():
            name, _, kind = one.partition(":")
            variables[name].type.CopyFrom(type_of(kind))
    return made


def id_of(name: str, kind: int = identifier_pb2.TASK) -> identifier_pb2.Identifier:
    return identifier_pb2.Identifier(resource_type=kind, project="p", domain="d", name=name, version="v")


def task(name: str, inputs: str, outputs: str) -> compiler_pb2.CompiledTask:
    return compiler_pb2.CompiledTask(
        template=tasks_pb2.TaskTemplate(id=id_of(name), interface=interface(inputs, outputs))
    )


TASKS = [task("add", "x:int", "o:int"), task("text", "x:str", "o:str"), task("alone", "", "")]
TASKS += [task(f"make_{kind}", "", f"o:{kind}") for kind in TYPES]
TASKS += [task(f"take_{kind}", f"x:{kind}", "") for kind in TYPES]


def node(id_: str, task_name: str, inputs: str = "", after: str = "") -> str:
    """A task node; inputs like `x=n0.o` (an output), `x=3`, `x="a"`, `x=[…]` in text format."""
    bindings = " ".join(binding(one) for one in inputs.split())
    upstream = " ".join(f'upstream_node_ids: "{one}"' for one in after.split())
    target = f"task_node {{ reference_id {{ {text_format.MessageToString(id_of(task_name), as_one_line=True)} }} }}"
    return f'nodes {{ id: "{id_}" {target} {bindings} {upstream} }}'


def binding(text: str) -> str:
    var, _, value = text.partition("=")
    return f'inputs {{ var: "{var}" binding {{ {data(value)} }} }}'


def data(value: str) -> str:
    if value.startswith("["):
        parts = " ".join(f"bindings {{ {data(one)} }}" for one in value[1:-1].split(",") if one)
        return f"collection {{ {parts} }}"
    if value.startswith("{"):
        pairs = [one.split(":") for one in value[1:-1].split(",") if one]
        parts = " ".join(f'bindings {{ key: "{k}" value {{ {data(v)} }} }}' for k, v in pairs)
        return f"map {{ {parts} }}"
    if value.lstrip("-").isdigit():
        return f"scalar {{ primitive {{ integer: {value} }} }}"
    if value.startswith("'"):
        return f"scalar {{ primitive {{ string_value: {value} }} }}"
    if value == "none":
        return "scalar { none_type { } }"
    node_id, _, rest = value.partition(".")
    name, *path = rest.split("/")
    steps = " ".join(
        f"attr_path {{ int_value: {step} }}" if step.isdigit() else f'attr_path {{ string_value: "{step}" }}'
        for step in path
    )
    return f'promise {{ node_id: "{node_id}" var: "{name}" {steps} }}'


def template(*parts: str, inputs: str = "", outputs: str = "") -> workflow_pb2.WorkflowTemplate:
    made = text_format.Parse(" ".join(parts), workflow_pb2.WorkflowTemplate())
    made.id.CopyFrom(id_of("w", identifier_pb2.WORKFLOW))
    made.interface.CopyFrom(interface(inputs, outputs))
    return made


def branch(id_: str, body: str, inputs: str = "") -> str:
    bindings = " ".join(binding(one) for one in inputs.split())
    return f'nodes {{ id: "{id_}" {bindings} branch_node {{ if_else {{ {body} }} }} }}'


def case(left: str, right: str, then: str, name: str = "case") -> str:
    condition = f"condition {{ comparison {{ left_value {{ {left} }} right_value {{ {right} }} }} }}"
    return f"{name} {{ {condition} {then} }}"


def then(id_: str, task_name: str, inputs: str = "", name: str = "then_node") -> str:
    return node(id_, task_name, inputs).replace("nodes", name, 1)
