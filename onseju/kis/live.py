"""The real KIS, as far as a page needs it: an approval key for the host's own app key.

The server asks for the key; the browser opens KIS's WebSocket itself. App key and secret leave this process only towards
KIS, and stand in no log and no message.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

import httpx
from pydantic import SecretStr

KisMode = Literal["mock", "live"]

ANSWER_S = 10.0
KEEP_S = 23 * 3600.0
"""An approval key is good for 24 hours; an hour before its end a new one is asked for."""
RETRY_S = 2.0
"""KIS gives one key a second; a failure is not asked about again at once."""


class KisHosts(NamedTuple):
    """Where a mode's services are."""

    rest: str
    websocket: str


HOSTS: dict[str, KisHosts] = {
    "live": KisHosts("https://openapi.koreainvestment.com:9443", "ws://ops.koreainvestment.com:21000"),
    "mock": KisHosts("https://openapivts.koreainvestment.com:29443", "ws://ops.koreainvestment.com:31000"),
}


class KisUnavailableError(Exception):
    """KIS gave no approval key. The text is KIS's own description, or what failed on the way."""


class LiveKis:
    """One app key's approval key, asked for when it is needed and kept while it is good.

    `transport` and `clock` (seconds) are for tests.
    """

    def __init__(
        self,
        mode: KisMode,
        app_key: SecretStr,
        app_secret: SecretStr,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.mode = mode
        self.url = HOSTS[mode].websocket
        self._app_key = app_key
        self._app_secret = app_secret
        self._transport = transport
        self._clock = clock
        self._lock = asyncio.Lock()
        self._key = ""
        self._asked_at = -KEEP_S
        self._failure: tuple[float, str] | None = None

    async def approval_key(self) -> str:
        """The approval key. Raises `KisUnavailableError`."""
        async with self._lock:
            now = self._clock()
            if self._key and now - self._asked_at < KEEP_S:
                return self._key
            if self._failure is not None and now - self._failure[0] < RETRY_S:
                raise KisUnavailableError(self._failure[1])
            try:
                self._key = await self._ask()
            except KisUnavailableError as error:
                self._failure = (now, str(error))
                raise
            self._asked_at = now
            return self._key

    def forget(self) -> None:
        """Ask anew the next time: the key was refused."""
        self._key = ""

    async def _ask(self) -> str:
        body = {
            "grant_type": "client_credentials",
            "appkey": self._app_key.get_secret_value(),
            "secretkey": self._app_secret.get_secret_value(),
        }
        try:
            async with httpx.AsyncClient(
                base_url=HOSTS[self.mode].rest, timeout=ANSWER_S, transport=self._transport, trust_env=False
            ) as client:
                answer = await client.post("/oauth2/Approval", json=body)
                content = answer.json()
        except httpx.HTTPError as error:
            raise KisUnavailableError(f"KIS cannot be reached ({type(error).__name__})") from None
        except ValueError:
            raise KisUnavailableError(f"KIS answered {answer.status_code} without JSON") from None
        if not isinstance(content, dict):
            raise KisUnavailableError(f"KIS answered {answer.status_code} with something unexpected")
        key = content.get("approval_key")
        if answer.status_code == 200 and isinstance(key, str) and key:
            return key
        code, text = content.get("error_code", answer.status_code), content.get("error_description", "no description")
        raise KisUnavailableError(f"KIS refused: {text} ({code})")
