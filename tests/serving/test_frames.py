"""Finished frames are those of a websocket library, and wait for clients that read nothing."""

import asyncio
import random
from collections.abc import Callable

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from routiq_gql.serving.frames import DirectFrames, text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_frame_is_that_of_the_library(length: int):
    """Messages of any length are framed as the library frames them."""
    text = ("é" * (length // 2) + "x" * (length % 2)).encode()
    assert len(text) == length
    assert text_frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)


class Socket(DirectFrames):
    """A socket without a network."""

    def __init__(self) -> None:
        self.writable = asyncio.Event()
        self.writable.set()
        self.conn = type("Connection", (), {"state": State.OPEN})()
        self.transport = self
        self.frames: list[bytes] = []

    def is_closing(self) -> bool:
        return False

    def write(self, frame: bytes) -> None:
        self.frames.append(frame)


@pytest.mark.parametrize("seed", range(60))
def test_each_promised_call_comes_once_when_the_peer_reads(seed: int):
    """Each call may wait again, make another one wait, or write so much that the peer is behind again."""
    chance, socket = random.Random(seed), Socket()
    waiting: set[int] = set()
    due: set[int] = set()

    def wait(number: int) -> None:
        socket.when_writable(calls[number])
        waiting.add(number)

    def call(number: int) -> Callable[[], None]:
        def called() -> None:
            due.remove(number)
            if chance.random() < 0.3:
                socket.pause_writing()
            if chance.random() < 0.5:
                wait(chance.choice((number, chance.randrange(len(calls)))))

        return called

    def resume() -> None:
        due.update(waiting)
        waiting.clear()
        socket.resume_writing()
        assert not due

    calls = [call(number) for number in range(5)]
    for step in range(60):
        match chance.choice(("wait", "wait", "forget", "write", "pause", "resume")):
            case "wait":
                wait(chance.randrange(len(calls)))
            case "forget":
                number = chance.randrange(len(calls))
                socket.forget(calls[number])
                waiting.discard(number)
            case "write":
                before, frame = list(socket.frames), text_frame(b"%d" % step)
                is_written = socket.write_frame(frame)
                assert socket.frames == [*before, *[frame] * is_written]
            case "pause":
                socket.pause_writing()
            case "resume":
                resume()
    resume()
