"""Opaque texts for cursors: base64 for addresses, in a single form for each content."""

import base64
import binascii


def encode_opaque(content: bytes) -> str:
    """The text for this content."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def decode_opaque(text: str, longest: int) -> bytes:
    """The content of a text; empty if it is longer than ``longest`` characters, or is not such a text."""
    if len(text) > longest:
        return b""
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):  # ValueError: not ASCII
        return b""
    # The decoder skips unknown characters, so the content is encoded again and compared with the input.
    return content if encode_opaque(content) == text else b""
