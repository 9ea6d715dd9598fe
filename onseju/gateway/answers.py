"""Answers: JSON by msgspec, with the sequence number that a later read can wait for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

SEQ_HEADER = "Onseju-Seq"

_encoder = msgspec.json.Encoder()


def json_response(
    value: Any, status: int = 200, *, seq: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """`value` as JSON. `seq` is the exchange's command number that the answer is as of: header `Onseju-Seq`."""
    response = Response(_encoder.encode(value), status_code=status, headers=headers, media_type="application/json")
    if seq is not None:
        response.raw_headers.append((b"onseju-seq", b"%d" % seq))
    return response


def no_content(*, seq: int | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """204: done, nothing to say."""
    response = Response(status_code=204, headers=headers)
    if seq is not None:
        response.raw_headers.append((b"onseju-seq", b"%d" % seq))
    return response
