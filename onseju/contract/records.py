"""Fixed little-endian records: one declaration gives the Python class, its canonical bytes and its NumPy layout.

A record class is a frozen `msgspec.Struct` whose fields, in order, are those of its `struct` format (padding `x` aside),
and which carries `FORMAT`. `layout` builds the packer once and checks that the width is the one agreed.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec


class UnknownRecordError(ValueError):
    """Bytes of a kind or version that this release does not know."""


class Layout:
    """Packs and unpacks one record class."""

    __slots__ = ("_make", "cls", "fields", "packer")

    def __init__(self, cls: Any, fmt: str, width: int) -> None:
        self.cls = cls
        self.fields: tuple[str, ...] = cls.__struct_fields__
        self.packer = struct.Struct("<" + fmt)
        if self.packer.size != width:
            raise AssertionError(f"{cls.__name__} is {self.packer.size} bytes wide, not {width}")
        # Written out once for the class, as `namedtuple` does: passing a dict of names costs three times as much, and
        # every event of every order goes through here several times.
        names = ", ".join(self.fields)
        named = ", ".join(f"{field}={field}" for field in self.fields)
        self._make = eval(f"lambda {names}: cls({named})", {"cls": cls})  # noqa: S307  # the names are the class's own

    def pack(self, record: Any) -> bytes:
        """The canonical bytes. Raises `struct.error` for a number that its field cannot hold."""
        return self.packer.pack(*msgspec.structs.astuple(record))

    def unpack(self, buffer: bytes | memoryview, offset: int = 0) -> Any:
        """The record at `offset`. Its bytes must be of this class."""
        return self._make(*self.packer.unpack_from(buffer, offset))
