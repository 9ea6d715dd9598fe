"""Request bodies: strictly typed JSON in, or a problem that names the field. The shell bounds their size."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import Annotated, Any, NoReturn, TypeVar, cast

import msgspec
from starlette.requests import ClientDisconnect, Request

from onseju.contract.money import MAX_INPUT
from onseju.contract.reasons import Reason
from onseju.gateway.context import gateway_of
from onseju.gateway.problems import FieldError, Problem

T = TypeVar("T")

Amount = Annotated[int, msgspec.Meta(ge=0, le=MAX_INPUT)]
"""Money or shares, zero included."""

AtLeastOne = Annotated[int, msgspec.Meta(ge=1, le=MAX_INPUT)]

_PATH = re.compile(r" - at `\$(.*)`$")
_NAMED = re.compile(r"^Object (missing required|contains unknown) field `(.*?)`")
_JSON_TYPES = (b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8")


async def read_body(request: Request, type_: type[T]) -> T:
    """The body as a `type_` (a msgspec type). Names given twice count as their last value, as JSON readers commonly do.

    Raises `Problem`: UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE, or MALFORMED with the field that is wrong.
    """
    _check_content_type(request)
    return decode_body(await read_bytes(request), type_)


async def read_bytes(request: Request) -> bytes:
    """The whole body. Raises `Problem` when it is too large or too slow, `ClientDisconnect` when the client left.

    One that takes longer than `body_timeout_s` is given up: a client that drips bytes may not hold a request open.
    """
    timeout_s = gateway_of(request).settings.body_timeout_s
    try:
        async with asyncio.timeout(timeout_s):
            receive = request.receive
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                return message.get("body", b"")  # type: ignore[no-any-return]
            chunks = []
            while message["type"] == "http.request":
                chunks.append(message.get("body", b""))
                if not message.get("more_body", False):
                    return b"".join(chunks)
                message = await receive()
    except TimeoutError:
        raise Problem(
            Reason.MALFORMED,
            status=408,
            detail=f"The body did not arrive within {timeout_s:g} s.",
            headers={"Connection": "close"},
        ) from None
    raise ClientDisconnect


def decode_body(data: bytes, type_: type[T]) -> T:
    """`data` as a `type_`. Raises `Problem(MALFORMED)` with the field that is wrong."""
    try:
        return cast("T", _decoder(cast("Any", type_)).decode(data))
    except msgspec.ValidationError as error:
        _refuse(_field_error(str(error)))
    except UnicodeDecodeError:
        _refuse(FieldError("", "invalid_utf8"))
    except RecursionError:
        _refuse(FieldError("", "too_deep"))
    except ValueError:  # msgspec's DecodeError is one, and so are its rarer refusals of numbers
        _refuse(FieldError("", "invalid_json"))


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_, strict=True)


def _refuse(error: FieldError) -> NoReturn:
    raise Problem(Reason.MALFORMED, errors=[error]) from None


def _field_error(message: str) -> FieldError:
    """A validation message as field, code and sentence."""
    path = _PATH.search(message)
    field = path[1].lstrip(".") if path else ""
    named = _NAMED.match(message)
    if named is None:
        return FieldError(field[:200], "invalid", _PATH.sub("", message)[:300])
    name = f"{field}.{named[2]}" if field else named[2]
    code = "missing" if named[1].startswith("missing") else "unknown"
    return FieldError(name[:200], code)


def is_of_type(request: Request, media_type: bytes) -> bool:
    """Whether the body is named to be of a type that has no parameters."""
    return any(
        name == b"content-type" and value.strip().lower() == media_type for name, value in request.scope["headers"]
    )


def _check_content_type(request: Request) -> None:
    for name, value in request.scope["headers"]:
        if name == b"content-type":
            if value in _JSON_TYPES or value.split(b";")[0].strip().lower() == b"application/json":
                return
            break
    raise Problem(Reason.UNSUPPORTED_MEDIA_TYPE)
