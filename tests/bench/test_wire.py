"""What load generators cut out of the bytes: WebSocket frames and HTTP chunks."""

from __future__ import annotations

import pytest

from bench.wire import TEXT, Chunks, server_frames


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_any_size_are_cut_out_of_the_bytes(size: int) -> None:
    length = (
        bytes([size])
        if size < 126
        else b"\x7e" + size.to_bytes(2, "big")
        if size < 1 << 16
        else b"\x7f" + size.to_bytes(8, "big")
    )
    whole = b"\x81" + length + b"x" * size
    assert server_frames(whole + whole[:-1]) == ([(TEXT, b"x" * size)], whole[:-1])


@pytest.mark.parametrize("step", [1, 2, 3, 5, 100])
def test_chunks_give_the_body_however_they_are_cut(step: int) -> None:
    body = b"data: one\r\n\r\ndata: two\n\n"
    wire = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:4], body[4:]))
    chunks = Chunks()
    assert b"".join(chunks.take(wire[at : at + step]) for at in range(0, len(wire), step)) == body
