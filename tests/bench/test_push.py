"""The benchmark of the streams, in its short form: that it measures what it says, not how fast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.push import BAD, TRANSPORTS, main
from bench.wire import TEXT, server_frames


def test_the_stream_benchmark_measures_a_real_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "push.json"
    result = main(["--quick", "--connections", "20", "--output", str(output)])
    assert json.loads(output.read_text()) == result
    for transport in TRANSPORTS:
        row = result["transports"][transport]
        assert (row["opened"], row["storm_open"]) == (20, 20), "all streams are open, and open again"
        assert (row["missing"], row["gaps"]) == (0, 0), "every event arrives, in its place"
    for kind in BAD:
        assert result["neighbours"][kind]["missing"] == 0, "bad neighbours take nothing away"
    assert "20 streams" in capsys.readouterr().out


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
