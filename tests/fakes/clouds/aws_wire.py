"""How AWS writes: EC2's and STS's XML, the JSON of the younger services, and the errors of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from tests.fakes.clouds.server import Response

REQUEST_ID = "7f8d3a52-0b1c-4d2e-9f3a-123456789abc"
_XML = {"Content-Type": "text/xml;charset=UTF-8", "x-amzn-RequestId": REQUEST_ID}
_EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"


def ec2(action: str, body: Mapping[str, Any]) -> Response:
    """An answer of EC2. ``body`` has members in the API's spelling; lists become items."""
    inner = "".join(_element(_lower(name), value) for name, value in body.items())
    text = f'<{action}Response xmlns="{_EC2}"><requestId>{REQUEST_ID}</requestId>{inner}</{action}Response>'
    return Response(body=f'<?xml version="1.0" encoding="UTF-8"?>\n{text}', headers=_XML)


def sts(action: str, body: Mapping[str, Any]) -> Response:
    inner = "".join(_element(name, value, spell=str) for name, value in body.items())
    text = (
        f'<{action}Response xmlns="{_STS}"><{action}Result>{inner}</{action}Result>'
        f"<ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata></{action}Response>"
    )
    return Response(body=text, headers=_XML)


def amz_json(body: Mapping[str, Any]) -> Response:
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": REQUEST_ID}
    return Response(body=json.dumps(body), headers=headers)


def refusal(service: str, status: int, code: str, message: str) -> Response:
    """An error in the shape of ``service``: ``ec2``, ``sts``, ``s3``, or one of the JSON services."""
    told = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service == "ec2":
        text = f"<Response><Errors><Error>{told}</Error></Errors><RequestID>{REQUEST_ID}</RequestID></Response>"
    elif service == "sts":
        inner = f"<Error><Type>Sender</Type>{told}</Error><RequestId>{REQUEST_ID}</RequestId>"
        text = f"<ErrorResponse>{inner}</ErrorResponse>"
    elif service == "s3":
        text = f"<Error>{told}<RequestId>{REQUEST_ID}</RequestId></Error>"
    else:
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
        return Response(status=status, body=json.dumps({"__type": code, "message": message}), headers=headers)
    return Response(status=status, body=f'<?xml version="1.0" encoding="UTF-8"?>\n{text}', headers=_XML)


# Lists that the wire calls otherwise than the API does.
_SETS = {"EbsCards": "ebsCardSet", "InterfaceTypes": "interfaceTypeSet", "Workloads": "workloadSet"}


def _lower(name: str) -> str:
    return _SETS.get(name) or name[:1].lower() + name[1:]


def _element(tag: str, value: Any, *, spell: Callable[[str], str] = _lower) -> str:
    """``spell``: from a member's name to its element's. EC2 begins them in lower case, STS does not."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        inner = "".join(_element(spell(name), v, spell=spell) for name, v in value.items())
    elif isinstance(value, (list, tuple)):
        inner = "".join(_element("item", v, spell=spell) for v in value)
    elif isinstance(value, bool):
        inner = "true" if value else "false"
    else:
        inner = escape(str(value))
    return f"<{tag}>{inner}</{tag}>"
