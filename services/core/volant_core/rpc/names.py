"""One contract, two names: which of our full names Flyte knows, and as what."""

from google.protobuf import descriptor_pb2

OURS = "volantidl"
FLYTES = "flyteidl"
# Flyte's datacatalog is a package of its own, although its file lies in flyteidl's folder.
_DATACATALOG = f"{OURS}.datacatalog"
# Packages that Flyte has no counterpart of.
_ONLY_OURS = (f"{OURS}.dispatch", f"{OURS}.catalog", f"{OURS}.driver")


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def flyte_name(name: str) -> str | None:
    """Flyte's name for a package, service, method, message or enum of ours; None where Flyte has none.

    `volantidl.core.Literal` -> `flyteidl.core.Literal`, but `volantidl.datacatalog.Tag` -> `datacatalog.Tag`.
    """
    if not _within(name, OURS) or any(_within(name, package) for package in _ONLY_OURS):
        return None
    if _within(name, _DATACATALOG):
        return name.removeprefix(f"{OURS}.")
    return FLYTES + name.removeprefix(OURS)


def our_name(name: str) -> str:
    """The way back: our name for one of Flyte's. Any other name is returned as it is."""
    if _within(name, FLYTES):
        return OURS + name.removeprefix(FLYTES)
    if _within(name, "datacatalog"):
        return f"{OURS}.{name}"
    return name


def flyte_file(path: str) -> str | None:
    """Flyte's path for one of our proto files; None where Flyte has no such file."""
    folder = path.rpartition("/")[0].replace("/", ".")
    if flyte_name(folder) is None:
        return None
    return FLYTES + path.removeprefix(OURS)


def as_flytes(file: descriptor_pb2.FileDescriptorProto) -> descriptor_pb2.FileDescriptorProto:
    """A copy of one of our files under Flyte's path, package and type names. Other files come back as they are."""
    path = flyte_file(file.name)
    if path is None:
        return file
    copy = descriptor_pb2.FileDescriptorProto()
    copy.CopyFrom(file)
    copy.name = path
    copy.package = flyte_name(file.package) or file.package
    copy.dependency[:] = [flyte_file(dependency) or dependency for dependency in file.dependency]
    for message in copy.message_type:
        _rename_message(message)
    for service in copy.service:
        for method in service.method:
            method.input_type = _renamed(method.input_type)
            method.output_type = _renamed(method.output_type)
    return copy


def _renamed(reference: str) -> str:
    """A type reference as descriptors hold them, with a leading dot."""
    name = flyte_name(reference.removeprefix("."))
    return reference if name is None else f".{name}"


def _rename_message(message: descriptor_pb2.DescriptorProto) -> None:
    for field in message.field:
        if field.type_name:
            field.type_name = _renamed(field.type_name)
    for nested in message.nested_type:
        _rename_message(nested)
