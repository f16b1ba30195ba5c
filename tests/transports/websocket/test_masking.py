"""The mask: put on twice it is off, whichever function does it, and no key is used twice."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.transports.websocket import masking


@given(data=st.binary(max_size=300), key=st.binary(min_size=4, max_size=4))
def test_a_mask_is_laid_over_again_and_again(data: bytes, key: bytes) -> None:
    """Byte i with byte i mod 4 of the key, in Python and in C alike."""
    expected = bytes(byte ^ key[index % 4] for index, byte in enumerate(data))

    assert masking.xor(data, key) == masking.fastest()(data, key) == expected
    assert masking.xor(expected, key) == data


def test_no_key_comes_twice() -> None:
    """Four bytes each, fresh from the system when the pool is used up."""
    keys = [masking.new_key() for _ in range(5000)]

    assert {len(key) for key in keys} == {4}
    assert len(set(keys)) > 4990


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.long
def test_a_fork_has_keys_of_its_own() -> None:
    """Parent and child would send the same ones, from the same pool."""
    masking.new_key()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"".join(masking.new_key() for _ in range(4)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)

    assert len(theirs) == 16
    assert theirs != b"".join(masking.new_key() for _ in range(4))
