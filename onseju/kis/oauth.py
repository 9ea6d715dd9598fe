"""`POST /oauth2/Approval`: KIS's way to ask for an approval key, with its errors. Neither pair nor key is kept or logged."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.kis.approvals import Approvals
from onseju.kis.bounds import Guests, Limits

CheckPair = Callable[[str, str], Awaitable[bool]]
"""Whether an app key and its secret are a pair that this exchange issued."""

APPKEY_CHARACTERS = 36
SECRETKEY_CHARACTERS = 180
ORDERLY_S = 0.05
"""For so long a request waits before its new key supersedes the old one. A client may register with the old key and ask for
a new one at once, on two connections (python-kis does, for every registration): what was sent first is to count first."""
_APPKEY = re.compile(rf"[!-~]{{{APPKEY_CHARACTERS}}}")
_SECRETKEY = re.compile(rf"[!-~]{{{SECRETKEY_CHARACTERS}}}")


class Refusal(Enum):
    """An error's code, HTTP status and text."""

    BAD_REQUEST = ("EGW00101", 403, "유효하지 않은 요청입니다.")
    NO_APPKEY = ("EGW00102", 403, "AppKey는 필수입니다.")
    WRONG_APPKEY = ("EGW00103", 403, "유효하지 않은 AppKey입니다.")
    NO_SECRET = ("EGW00104", 403, "AppSecret은 필수입니다.")
    WRONG_SECRET = ("EGW00105", 403, "유효하지 않은 AppSecret입니다.")
    NO_GRANT_TYPE = ("EGW00115", 403, "grant_type은 필수입니다.")
    WRONG_GRANT_TYPE = ("EGW00116", 403, "유효하지 않은 grant_type입니다.")
    WRONG_CONTENT_TYPE = ("EGW00132", 403, "유효하지 않은 Content-Type입니다.")
    TOO_LARGE = ("EGW00101", 413, "유효하지 않은 요청입니다.")
    TOO_SLOW = ("EGW00101", 408, "유효하지 않은 요청입니다.")
    TOO_OFTEN = ("EGW00201", 500, "초당 거래건수를 초과하였습니다.")
    """The gateway's limiter of all REST calls: it answers 500, and in the other envelope. Clients wait and try again on it."""
    TOO_OFTEN_HERE = ("EGW00201", 429, "초당 거래건수를 초과하였습니다.")


class RefusedError(Exception):
    """The request is refused; `refusal` is the answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value[0])
        self.refusal = refusal


class ApprovalEndpoint:
    """The endpoint. With `check_pair`, only pairs of this exchange are accepted, unless `any_pair`."""

    def __init__(
        self,
        approvals: Approvals,
        guests: Guests,
        limits: Limits,
        *,
        any_pair: bool,
        check_pair: CheckPair | None,
        clock: Callable[[], float],
    ) -> None:
        self._approvals, self._guests, self._limits = approvals, guests, limits
        self._any_pair, self._check_pair = any_pair, check_pair
        self._clock = clock

    async def issue(self, request: Request) -> Response:
        """Answer one request."""
        try:
            return _answer(200, {"approval_key": await self._issue(request)})
        except RefusedError as error:
            code, status, text = error.refusal.value
            if code == "EGW00201":
                body = {"rt_cd": "1", "msg_cd": code, "msg1": text}
                return _answer(status, body, {"retry-after": "1"})
            return _answer(status, {"error_description": text, "error_code": code})

    async def _issue(self, request: Request) -> str:
        address = request.client.host if request.client else ""
        guest = self._guests.of(address)
        if not guest.approvals.take(self._clock()):
            raise RefusedError(Refusal.TOO_OFTEN_HERE)
        content_type = request.headers.get("content-type", "application/json")
        if "json" not in content_type.lower():
            raise RefusedError(Refusal.WRONG_CONTENT_TYPE)
        fields = await self._fields(request)
        grant_type = _text(fields, "grant_type", Refusal.NO_GRANT_TYPE, Refusal.WRONG_GRANT_TYPE)
        if grant_type != "client_credentials":
            raise RefusedError(Refusal.WRONG_GRANT_TYPE)
        appkey = _text(fields, "appkey", Refusal.NO_APPKEY, Refusal.WRONG_APPKEY)
        secretkey = _text(fields, "secretkey", Refusal.NO_SECRET, Refusal.WRONG_SECRET)
        if not await self._accepts(appkey, secretkey):
            raise RefusedError(Refusal.WRONG_SECRET if _APPKEY.fullmatch(appkey) else Refusal.WRONG_APPKEY)
        for _ in range(2):  # two timers: between them the loop reads what had come, however late the first one is
            await asyncio.sleep(ORDERLY_S / 2)
        approval_key = self._approvals.issue(appkey, secretkey, guest)
        if approval_key is None:
            raise RefusedError(Refusal.TOO_OFTEN)
        return approval_key

    async def _accepts(self, appkey: str, secretkey: str) -> bool:
        if self._any_pair and _APPKEY.fullmatch(appkey) and _SECRETKEY.fullmatch(secretkey):
            return True
        return self._check_pair is not None and await self._check_pair(appkey, secretkey)

    async def _fields(self, request: Request) -> dict[str, Any]:
        try:
            fields = msgspec.json.decode(await self._body(request))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RefusedError(Refusal.BAD_REQUEST) from error
        if not isinstance(fields, dict):
            raise RefusedError(Refusal.BAD_REQUEST)
        return fields

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._limits.body_bytes:
                        raise RefusedError(Refusal.TOO_LARGE)
        except TimeoutError as error:
            raise RefusedError(Refusal.TOO_SLOW) from error
        return bytes(body)


def _text(fields: dict[str, Any], name: str, missing: Refusal, wrong: Refusal) -> str:
    value = fields.get(name)
    if value is None or value == "":
        raise RefusedError(missing)
    if not isinstance(value, str):
        raise RefusedError(wrong)
    return value


def _answer(status: int, body: dict[str, str], headers: dict[str, str] | None = None) -> Response:
    content = msgspec.json.encode(body)
    return Response(
        content, status, {"cache-control": "no-store", **(headers or {})}, "application/json; charset=utf-8"
    )
