"""Output is kept on disk until the store can take it, in order, and within limits."""

from __future__ import annotations

from pathlib import Path

from spotlaunch.agent import logs
from spotlaunch.agent.logs import CHUNK_BYTES, Spool
from spotlaunch.agent.masks import Masker


def take_all(spool: Spool) -> list[bytes]:
    chunks = []
    while chunk := spool.chunk():
        chunks.append(chunk)
        spool.took(chunk)
    return chunks


def test_chunks_are_what_was_written_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "log", Masker([]))
    lines = [f"line {n}\n".encode() * 100 for n in range(1000)]
    for line in lines:
        spool.write(line)
    chunks = take_all(spool)
    assert b"".join(chunks) == b"".join(lines)
    assert all(len(c) <= CHUNK_BYTES and c.endswith(b"\n") for c in chunks)
    assert spool.taken == len(chunks) > 1


def test_a_chunk_that_was_not_taken_comes_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "log", Masker([]))
    assert spool.chunk() == b""
    spool.write(b"one\n")
    assert spool.chunk() == spool.chunk() == b"one\n"


def test_a_line_without_an_end_is_not_waited_for(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "log", Masker([]))
    spool.write(b"epoch 1: 50%\r")
    assert take_all(spool) == [b"epoch 1: 50%\r"]
    spool.write(b"x" * (2 * CHUNK_BYTES))
    assert b"".join(take_all(spool)) == b"x" * (2 * CHUNK_BYTES)


def test_secrets_do_not_even_reach_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "log", Masker(["hunter22"]))
    spool.write(b"key hunt")
    spool.write(b"er22 and hunt")
    spool.end()
    assert (tmp_path / "log").read_bytes() == b"key *** and hunt"


def test_too_much_output_ends_with_a_word_about_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "log", Masker([]), cap_bytes=2**20)
    for _ in range(30):
        spool.write(b"x" * 99_999 + b"\n")
    said = b"".join(take_all(spool))
    assert len(said) < 2**20 + 200
    assert said.endswith(logs.FULL.format(mb=1).encode())


def test_a_full_disk_does_not_stop_the_program(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "log", Masker([]))
    spool.write(b"kept\n")
    (tmp_path / "log").unlink()
    (tmp_path / "log").mkdir()
    spool.write(b"lost\n")
    spool.write(b"lost\n")
    (tmp_path / "log").rmdir()
    (tmp_path / "log").write_bytes(b"kept\n")
    assert take_all(spool) == [b"kept\n"]


def test_after_a_restart_chunks_are_counted_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "log", Masker([]), taken=7)
    spool.write(b"x")
    take_all(spool)
    assert spool.taken == 8
