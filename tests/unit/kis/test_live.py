"""The real KIS's approval key, against its documented answers."""

from __future__ import annotations

import json

import httpx
import pytest
from pydantic import SecretStr

from onseju.kis.live import KEEP_S, RETRY_S, KisUnavailableError, LiveKis

APP_KEY, APP_SECRET = "P" + "k" * 35, "s" * 180


class Kis:
    """A stand-in for the one call; the claim here is what we send and how we take each answer."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer = httpx.Response(200, json={"approval_key": "a-b-c"})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/oauth2/Approval"
        self.asked.append(json.loads(request.content))
        return self.answer


def live(kis: Kis, now: list[float]) -> LiveKis:
    return LiveKis(
        "mock", SecretStr(APP_KEY), SecretStr(APP_SECRET), transport=httpx.MockTransport(kis), clock=lambda: now[0]
    )


async def test_a_key_is_asked_for_once_a_day() -> None:
    kis, now = Kis(), [0.0]
    desk = live(kis, now)
    assert await desk.approval_key() == "a-b-c"
    assert kis.asked == [{"grant_type": "client_credentials", "appkey": APP_KEY, "secretkey": APP_SECRET}]
    now[0] = KEEP_S - 1
    await desk.approval_key()
    assert len(kis.asked) == 1
    now[0] = KEEP_S
    await desk.approval_key()
    assert len(kis.asked) == 2
    desk.forget()
    await desk.approval_key()
    assert len(kis.asked) == 3


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            httpx.Response(403, json={"error_code": "EGW00103", "error_description": "유효하지 않은 AppKey입니다."}),
            "EGW00103",
        ),
        (httpx.Response(200, json={}), "no description"),
        (httpx.Response(200, json=["a"]), "unexpected"),
        (httpx.Response(502, text="<html>"), "without JSON"),
    ],
)
async def test_a_refusal_is_told_without_the_secret_and_not_repeated_at_once(answer: httpx.Response, told: str) -> None:
    kis, now = Kis(), [0.0]
    kis.answer = answer
    desk = live(kis, now)
    for _ in range(2):
        with pytest.raises(KisUnavailableError, match=told) as caught:
            await desk.approval_key()
        assert APP_SECRET not in str(caught.value)
        assert APP_KEY not in str(caught.value)
    assert len(kis.asked) == 1
    now[0] = RETRY_S
    kis.answer = httpx.Response(200, json={"approval_key": "x"})
    assert await desk.approval_key() == "x"


async def test_an_unreachable_kis_is_told() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    desk = LiveKis("live", SecretStr("a"), SecretStr("b"), transport=httpx.MockTransport(fail))
    with pytest.raises(KisUnavailableError, match="cannot be reached"):
        await desk.approval_key()
