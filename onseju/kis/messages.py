"""The JSON side of KIS's WebSocket: requests to register, the answers with their codes, and PINGPONG."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from onseju.kis.quotes import KST

PINGPONG = "PINGPONG"
NOBODY = "(null)"
"""What stands for the TR in an answer that is about the session and not about a TR."""

SUBSCRIBE = "1"
UNSUBSCRIBE = "2"

_ECHO_CHARACTERS = 32
"""How much of a client's own text an answer repeats."""


class Code(Enum):
    """An answer's code, `rt_cd` and text. `rt_cd` of the codes from 8991 on, 8996 aside, is not documented: it is not 0."""

    SUBSCRIBED = ("OPSP0000", "0", "SUBSCRIBE SUCCESS")
    UNSUBSCRIBED = ("OPSP0001", "0", "UNSUBSCRIBE SUCCESS")
    ALREADY_SUBSCRIBED = ("OPSP0002", "1", "ALREADY IN SUBSCRIBE")
    NOT_SUBSCRIBED = ("OPSP0003", "1", "UNSUBSCRIBE ERROR(not found!)")
    TOO_MANY = ("OPSP0008", "1", "MAX SUBSCRIBE OVER")
    UNKNOWN_APPROVAL = ("OPSP0011", "1", "invalid approval : NOT FOUND")
    INVALID_TR = ("OPSP8991", "1", "invalid tr_id")
    INVALID_KEY = ("OPSP8992", "1", "invalid tr_key")
    IN_USE = ("OPSP8996", "9", "ALREADY IN USE appkey")
    INVALID_TYPE = ("OPSP8997", "1", "invalid tr_type")
    INVALID_CUSTOMER = ("OPSP8998", "1", "invalid custtype")
    NO_RESOURCE = ("OPSP8999", "1", "resource not available")
    NO_KEY = ("OPSP9990", "1", "tr_key not found")
    NO_INPUT = ("OPSP9991", "1", "input not found")
    NO_BODY = ("OPSP9992", "1", "body not found")
    NO_CUSTOMER = ("OPSP9997", "1", "custtype not found")
    NO_HEADER = ("OPSP9998", "1", "header not found")
    INVALID_JSON = ("OPSP9999", "1", "invalid json format")


class RequestError(ValueError):
    """The request cannot be carried out; `code` is the answer."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.value[0])
        self.code = code


class Registration(NamedTuple):
    """What one request registers or takes back."""

    tr_id: str
    tr_key: str


class Register(NamedTuple):
    """A request to subscribe or to unsubscribe."""

    approval_key: str
    custtype: str | None
    tr_type: str | None
    body: Any

    def registration(self) -> Registration:
        """What it names. Raises `RequestError` for a wrong or missing part; whether such a TR and key exist is not checked."""
        if self.custtype is None:
            raise RequestError(Code.NO_CUSTOMER)
        if self.custtype not in ("P", "B"):
            raise RequestError(Code.INVALID_CUSTOMER)
        if self.tr_type not in (SUBSCRIBE, UNSUBSCRIBE):
            raise RequestError(Code.INVALID_TYPE)
        if not isinstance(self.body, dict):
            raise RequestError(Code.NO_BODY)
        names = self.body.get("input")
        if not isinstance(names, dict):
            raise RequestError(Code.NO_INPUT)
        tr_id, tr_key = _word(names, "tr_id"), _word(names, "tr_key")
        if not tr_id:
            raise RequestError(Code.INVALID_TR)
        if not tr_key:
            raise RequestError(Code.NO_KEY)
        return Registration(tr_id, tr_key)

    def named(self) -> Registration:
        """The TR and key that an answer repeats."""
        names = self.body.get("input") if isinstance(self.body, dict) else None
        if not isinstance(names, dict):
            return Registration(NOBODY, "")
        tr_id, tr_key = _word(names, "tr_id") or NOBODY, _word(names, "tr_key") or ""
        return Registration(tr_id[:_ECHO_CHARACTERS], tr_key[:_ECHO_CHARACTERS])


def parse(text: str | bytes) -> Register | None:
    """A client's message; None for its answer to PINGPONG. Raises `RequestError` for anything that is neither."""
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(Code.INVALID_JSON) from error
    if not isinstance(message, dict):
        raise RequestError(Code.INVALID_JSON)
    header = message.get("header")
    if not isinstance(header, dict):
        raise RequestError(Code.NO_HEADER)
    if header.get("tr_id") == PINGPONG:
        return None
    return Register(
        approval_key=_word(header, "approval_key") or "",
        custtype=_word(header, "custtype"),
        tr_type=_word(header, "tr_type"),
        body=message.get("body"),
    )


def answer(code: Code, about: Registration, iv: str = "", key: str = "") -> str:
    """The answer to a request. A success carries the session's `iv` and `key`; they matter for encrypted TRs only."""
    msg_cd, rt_cd, text = code.value
    body: dict[str, Any] = {"rt_cd": rt_cd, "msg_cd": msg_cd, "msg1": text}
    if rt_cd == "0":
        body["output"] = {"iv": iv, "key": key}
    return _json({"header": {"tr_id": about.tr_id, "tr_key": about.tr_key, "encrypt": "N"}, "body": body})


def pingpong(seconds: float) -> str:
    """The server's sign of life at a moment in seconds since 1970."""
    moment = datetime.fromtimestamp(seconds, KST).strftime("%Y%m%d%H%M%S")
    return _json({"header": {"tr_id": PINGPONG, "datetime": moment}})


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _word(source: dict[Any, Any], name: str) -> str | None:
    value = source.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None
