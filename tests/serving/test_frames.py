"""Finished frames are those of a websocket library, and wait for clients that read nothing."""

import pytest
from websockets.frames import Frame, Opcode

from routiq_gql.serving.frames import text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_frame_is_that_of_the_library(length: int):
    """Messages of any length are framed as the library frames them."""
    text = ("é" * (length // 2) + "x" * (length % 2)).encode()
    assert len(text) == length
    assert text_frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
