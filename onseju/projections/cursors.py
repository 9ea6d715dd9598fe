"""Cursors of pages: where the next page begins, opaque to clients. They name rows, not offsets, so new rows move nothing."""

from __future__ import annotations

import base64
import re

_FORM = re.compile(r"([a-z])([0-9]{1,19})(?:\.([0-9]{1,19}))?")
_BIGGEST = 2**63 - 1


class BadCursorError(ValueError):
    """The text is not a cursor of this list."""


def encode_cursor(kind: str, *numbers: int) -> str:
    """The cursor after the row with these key numbers; `kind` is the list's letter."""
    text = kind + ".".join(str(number) for number in numbers)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(kind: str, count: int, cursor: str) -> tuple[int, ...]:
    """The `count` key numbers in a cursor. Raises `BadCursorError`."""
    if len(cursor) > 80:
        raise BadCursorError
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError as error:
        raise BadCursorError from error
    match = _FORM.fullmatch(text)
    if match is None or match[1] != kind:
        raise BadCursorError
    numbers = tuple(int(part) for part in match.groups()[1:] if part is not None)
    if len(numbers) != count or max(numbers) > _BIGGEST:
        raise BadCursorError
    return numbers
