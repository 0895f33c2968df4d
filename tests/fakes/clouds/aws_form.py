"""A form of EC2 taken apart and held against botocore's model of the call, and answers written by it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from tests.fakes.clouds.aws_rules import Refused
from tests.fakes.clouds.aws_wire import ec2
from tests.fakes.clouds.server import Response

# Enumerations that the model keeps open, since new ones come every month, or whose refusal has a code of its own.
_OPEN = ("InstanceType",)


@lru_cache(maxsize=1)
def model() -> ServiceModel:
    import botocore.session

    found: ServiceModel = botocore.session.Session().get_service_model("ec2")
    return found


def read(action: str, form: dict[str, str]) -> dict[str, Any]:
    """The parameters of a call in the API's spelling. Raises `Refused` for what the call does not take."""
    shape = model().operation_model(action).input_shape
    tree: dict[str, Any] = {}
    for name, value in form.items():
        if name in ("Action", "Version"):
            continue
        at = tree
        *path, last = name.split(".")
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value
    asked: dict[str, Any] = _read(shape, tree, action)
    if asked.get("DryRun"):
        raise Refused(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    return asked


def wire_name(name: str, shape: Shape) -> str:
    """A member's name on the wire: queryName, else locationName with a capital, else its own."""
    told = shape.serialization.get("queryName") or shape.serialization.get("name") or name
    return str(told[:1].upper() + told[1:])


def _read(shape: Any, value: Any, where: str) -> Any:
    if isinstance(shape, StructureShape):
        return _members(shape, value, where)
    if isinstance(shape, ListShape):
        if not isinstance(value, dict) or sorted(map(int, value)) != list(range(1, len(value) + 1)):
            raise Refused(400, "InvalidParameterValue", f"{where} is not a list")
        return [_read(shape.member, value[n], f"{where}.{n}") for n in sorted(value, key=int)]
    if isinstance(value, dict):
        raise Refused(400, "UnknownParameter", f"The parameter {where} is not recognized")
    if shape.type_name in ("integer", "long"):
        if not value.lstrip("-").isdigit():
            raise Refused(400, "InvalidParameterValue", f"Invalid value '{value}' for {where}")
        return int(value)
    if shape.type_name == "boolean":
        if value not in ("true", "false"):
            raise Refused(400, "InvalidParameterValue", f"Invalid value '{value}' for {where}")
        return value == "true"
    if getattr(shape, "enum", None) and value not in shape.enum and shape.name not in _OPEN:
        raise Refused(400, "InvalidParameterValue", f"Invalid value '{value}' for {where}")
    return value


def _members(shape: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(400, "InvalidParameterValue", f"{where} has no members")
    known = {wire_name(name, member): (name, member) for name, member in shape.members.items()}
    found = {}
    for name, inner in value.items():
        if name not in known:
            raise Refused(400, "UnknownParameter", f"The parameter {where}.{name} is not recognized")
        found[known[name][0]] = _read(known[name][1], inner, f"{where}.{name}")
    for name in shape.required_members:
        if name not in found:
            raise Refused(400, "MissingParameter", f"The request must contain the parameter {name}")
    return found


def answer(action: str, body: dict[str, Any]) -> Response:
    """An answer of EC2; ``body`` is in the API's spelling. Raises `KeyError` for a member that it lacks."""
    return ec2(action, _wire(model().operation_model(action).output_shape, body))


def _wire(shape: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(shape, StructureShape):
        return {_element(name, shape.members[name]): _wire(shape.members[name], v) for name, v in value.items()}
    if isinstance(shape, ListShape):
        return [_wire(shape.member, v) for v in value]
    return value


def _element(name: str, shape: Shape) -> str:
    return str(shape.serialization.get("name") or name)
