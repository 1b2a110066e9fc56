"""Values in messages, written as Flyte writes them: clients and people compare what failed with what they know."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor, message, text_encoding


def of(value: Any) -> str:
    """A literal, a map or list of literals, or what was unpacked of one."""
    if isinstance(value, message.Message):
        return " ".join(_fields(value))
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{of(key)}:{of(value[key])}' for key in sorted(value, key=str))}]"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"[{' '.join(map(of, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "<nil>" if value is None else str(value)


def _fields(whole: message.Message) -> list[str]:
    parts = []
    for field, content in whole.ListFields():
        if isinstance(content, Mapping):
            entry: Any = field.message_type
            key, value = (entry.fields_by_name[name] for name in ("key", "value"))
            entries = ((_one(key, name), _one(value, content[name])) for name in sorted(content))
            parts += [f"{field.name}:{{key:{name} value:{said}}}" for name, said in entries]
        elif isinstance(content, Sequence) and not isinstance(content, str | bytes):
            parts += [f"{field.name}:{_one(field, element)}" for element in content]
        else:
            parts.append(f"{field.name}:{_one(field, content)}")
    return parts


def _one(field: descriptor.FieldDescriptor, content: Any) -> str:
    if field.message_type is not None:
        return f"{{{of(content)}}}"
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[content].name)
    if isinstance(content, str | bytes):
        given = content.encode() if isinstance(content, str) else content
        return f'"{text_encoding.CEscape(given, as_utf8=isinstance(content, str))}"'
    return of(content)
