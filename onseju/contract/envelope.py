"""The one envelope of every stream: `{"ch","id","prev","type","ts","data"}`, the same on SSE and on WebSocket."""

from __future__ import annotations

from typing import Any

import msgspec


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An event as streams and replays carry it. `prev` is the id of the event before it on the same chain: per channel,
    and symbol or account. None = it is the chain's first, or a new beginning (`snapshot`, `reset`)."""

    ch: str
    id: str | None
    prev: str | None
    type: str
    ts: str | None
    data: Any


_ENCODER = msgspec.json.Encoder()


def encode_envelope(envelope: Envelope) -> bytes:
    """The envelope's bytes: JSON on one line."""
    return _ENCODER.encode(envelope)
