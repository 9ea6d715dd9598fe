"""HTTP/1.1 for bots that send many small requests: one kept connection, one request at a time, nothing more.

A full client takes about a millisecond of processor time for each request, and the bots run beside the exchange all day.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

ANSWER_TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024


class UnavailableError(Exception):
    """The server does not answer, or asks to be left alone for a while (429, 503)."""

    def __init__(self, why: str, retry_after_s: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Response(msgspec.Struct, frozen=True):
    """An answer. Header names are lower case."""

    status: int
    headers: dict[str, str]
    content: bytes


class Connection:
    """One connection to a server, opened when it is needed and opened anew after any failure."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an address: {url!r}")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self._host_header = parts.netloc.rpartition("@")[2]
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> Response:
        """Send a request and wait for its answer. Raises `UnavailableError`; then it may or may not have taken effect."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host_header}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if content is not None:
            lines.append(f"Content-Length: {len(content)}")
        sent = "\r\n".join([*lines, "", ""]).encode("ascii") + (content or b"")
        async with self._lock:
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    return await self._exchange(sent)
            except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
                self._drop()
                raise UnavailableError(f"{method} {target}: {error!r}") from error
            except BaseException:
                self._drop()  # an answer that nobody waits for any more must not become the next request's
                raise

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            writer = self._streams[1]
            self._drop()
            try:
                await writer.wait_closed()
            except OSError:
                return  # the server was faster

    async def _exchange(self, sent: bytes) -> Response:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._ssl)
        reader, writer = self._streams
        writer.write(sent)
        await writer.drain()
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        _, status, *_ = first.split(" ")
        headers = {}
        for line in rest:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if "transfer-encoding" in headers:
            raise ValueError("an answer without a length")
        length = int(headers.get("content-length", "0"))
        if length > MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of {length} bytes")
        content = await reader.readexactly(length)
        if headers.get("connection", "").lower() == "close":
            self._drop()
        return Response(int(status), headers, content)

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
