"""Bytes become frames: any chunks give the same ones, nothing is held for what a header only declares, and large ones are copied once."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landline.errors import ProtocolError
from landline.protocol import decoder as decoder_module
from landline.protocol.decoder import FrameDecoder
from landline.protocol.frames import (
    FIRST_COUNTED,
    HEADER,
    LARGE,
    LAST_DATA,
    MAX_CONTROL,
    Frame,
    FrameType,
    encode_frame,
)

DATA = [kind for kind in FrameType if FIRST_COUNTED <= kind <= LAST_DATA]
OTHERS = [kind for kind in FrameType if kind not in DATA]


def decode_in(chunks: list[bytes], max_message: int = 1 << 20) -> list[Frame]:
    decoder = FrameDecoder(max_message)
    return [frame for chunk in chunks for frame in decoder.feed(chunk)]


@given(
    st.lists(st.tuples(st.sampled_from(list(FrameType)), st.integers(0, 2**32 - 1), st.binary(max_size=300))),
    st.data(),
)
def test_frames_do_not_depend_on_the_chunks(frames: list[Frame], data: st.DataObject) -> None:
    """However the bytes are cut on their way, the same frames come out."""
    stream = b"".join(encode_frame(*frame) for frame in frames)
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    chunks = [stream[start:stop] for start, stop in zip([0, *places], [*places, len(stream)], strict=True)]

    assert decode_in(chunks) == frames


@given(
    st.lists(
        st.tuples(
            st.sampled_from([FrameType.BYTES, FrameType.TEXT]),
            st.integers(0, 1),
            st.sampled_from([0, 1, 64, 300]),
            st.integers(1, 60),
        ),
        max_size=8,
    ),
    st.integers(0, 80),
)
def test_many_frames_of_one_size_are_cut_as_others_are(
    runs: list[tuple[FrameType, int, int, int]], cut: int
) -> None:
    """However many follow each other, and whatever comes after them, a part of a frame included."""
    chance = random.Random(0)
    frames = [
        (kind, number, chance.randbytes(size)) for kind, number, size, count in runs for _ in range(count)
    ]
    stream = b"".join(encode_frame(*frame) for frame in frames)

    place = max(len(stream) - cut, 0)

    assert decode_in([stream[:place], stream[place:]]) == frames


@settings(max_examples=60)
@given(st.data())
def test_nothing_is_kept_of_what_is_lent(data: st.DataObject) -> None:
    """Frames large and small, cut anywhere, some of it lent in a buffer that the next bytes are read into: the same frames come out."""
    sizes = st.sampled_from([0, 5, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE, 70_000])
    kinds = st.sampled_from([FrameType.BYTES, FrameType.TEXT])
    drawn = data.draw(st.lists(st.tuples(kinds, st.integers(0, 3), sizes), max_size=12))
    frames = [
        (kind, number, random.Random(at).randbytes(size)) for at, (kind, number, size) in enumerate(drawn)
    ]
    stream = b"".join(encode_frame(*frame) for frame in frames)
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = FrameDecoder(1 << 20)
    buffer = bytearray(len(stream))
    found = []
    for start, stop in zip([0, *places], [*places, len(stream)], strict=True):
        if data.draw(st.booleans()):
            buffer[: stop - start] = stream[start:stop]
            found += list(decoder.feed(memoryview(buffer)[: stop - start]))
            buffer[:] = bytes(len(buffer))
        else:
            found += list(decoder.feed(stream[start:stop]))

    assert found == frames
    assert (decoder.held, decoder.needed) == (0, HEADER.size)


@pytest.mark.parametrize(
    "lengths", [(0, 0, 1), (64,) * 16 + (63,), (64, 64, 63, 64, 64, 64, 62), (20, 20, 21, 20, 20, 22)]
)
def test_looks_at_many_headers_at_once_are_few_where_they_find_little(
    lengths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a read of small frames would take the square of its size."""
    looks = []

    def counted(data: bytes, at: int, size: int, most: int) -> int:
        looks.append(most)
        return alike(data, at, size, most)

    alike = decoder_module._alike
    monkeypatch.setattr(decoder_module, "_alike", counted)
    count = 5000
    decode_in([b"".join(encode_frame(FrameType.BYTES, 0, bytes(length)) for length in lengths) * count])

    assert 0 < len(looks) < 20
    assert sum(looks) < count * len(lengths)


@pytest.mark.parametrize("few", [1, 3])
def test_small_frames_before_a_large_one_leave_it_lent(few: int) -> None:
    """An ack and what else is told come before messages: the message is copied once all the same."""
    payload = bytes(1 << 20)
    small = encode_frame(FrameType.ACK, 0, b"hello")
    lent = memoryview(bytearray(small * few + encode_frame(FrameType.BYTES, 0, payload) + small))
    decoder = FrameDecoder(len(payload))
    tracemalloc.start()
    try:
        found = [*decoder.feed(lent)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [len(each[2]) for each in found] == [5] * few + [len(payload), 5]
    assert peak < 1.1 * len(payload)


def test_a_large_frame_that_is_lent_whole_is_copied_once() -> None:
    """Into what the program is given; one that is lent in two parts, the first of them twice."""
    payload = bytes(1 << 20)
    stream = memoryview(bytearray(encode_frame(FrameType.BYTES, 0, payload)))
    for parts, most in ((1, 1.1), (2, 1.6)):
        decoder = FrameDecoder(len(payload))
        tracemalloc.start()
        try:
            at = len(stream) // parts
            found = [*decoder.feed(stream[:at]), *decoder.feed(stream[at:])]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert found == [(FrameType.BYTES, 0, payload)]
        assert peak < most * len(payload)


@pytest.mark.parametrize("kind", [FrameType.BYTES, FrameType.OPEN])
def test_what_is_lent_and_over_its_limit_is_an_error(kind: FrameType) -> None:
    """At once, and whether it is here as a whole or not; what was before it comes out."""
    size = LARGE if kind is FrameType.OPEN else 2 * LARGE + 1
    stream = encode_frame(FrameType.BYTES, 0, bytes(LARGE)) + encode_frame(kind, 0, bytes(size))
    for lent in (stream, stream[: LARGE + 2 * HEADER.size]):
        decoder = FrameDecoder(2 * LARGE)
        found = iter(decoder.feed(memoryview(lent)))
        assert next(found)[2] == bytes(LARGE)
        with pytest.raises(ProtocolError, match="over the limit") as raised:
            next(found)
        assert raised.value.code == "too-large"


def test_frames_that_differ_in_their_payloads_alone_come_together() -> None:
    """In their order; another type or number between them parts them, and so does a chunk's end."""
    decoder = FrameDecoder(1 << 20)
    stream = b"".join(encode_frame(FrameType.BYTES, number, b"%d" % number) for number in (1, 1, 2, 1, 1, 1))
    stream += encode_frame(FrameType.TEXT, 1, b"text")

    assert list(decoder.series(stream + stream[:9])) == [
        (FrameType.BYTES, 1, [b"1", b"1"]),
        (FrameType.BYTES, 2, [b"2"]),
        (FrameType.BYTES, 1, [b"1", b"1", b"1"]),
        (FrameType.TEXT, 1, [b"text"]),
    ]
    assert [(kind, number, list(payloads)) for kind, number, payloads in decoder.series(stream[9:20])] == [
        (FrameType.BYTES, 1, [b"1"]),
        (FrameType.BYTES, 1, [b"1"]),
    ]


def test_what_came_before_a_size_that_is_over_the_limit_comes_out() -> None:
    """And then the error."""
    series = iter(
        FrameDecoder(100).series(
            2 * encode_frame(FrameType.BYTES, 0, b"x") + HEADER.pack(5000, FrameType.BYTES, 0)
        )
    )

    assert next(series) == (FrameType.BYTES, 0, [b"x", b"x"])
    with pytest.raises(ProtocolError, match="5000"):
        next(series)


def test_frames_come_out_of_single_bytes() -> None:
    """A line that delivers one byte at a time delivers all the same; a frame comes with its last byte, not before."""
    decoder = FrameDecoder(1 << 20)
    stream = encode_frame(FrameType.TEXT, 0, b"hello")

    for byte in stream[:-1]:
        assert list(decoder.feed(bytes([byte]))) == []
        assert decoder.held > 0
    assert list(decoder.feed(stream[-1:])) == [(FrameType.TEXT, 0, b"hello")]
    assert not decoder.held


def test_the_size_of_an_unfinished_frame_is_known_from_its_header_on() -> None:
    """Until the header is whole the header is what is needed."""
    decoder = FrameDecoder(1 << 20)
    stream = encode_frame(FrameType.BYTES, 0, bytes(1000))

    assert list(decoder.feed(stream[:4])) == []
    assert decoder.needed == HEADER.size
    assert list(decoder.feed(stream[4:9])) == []
    assert decoder.needed == HEADER.size + 1000
    assert len(list(decoder.feed(stream[9:]))) == 1
    assert decoder.needed == HEADER.size


def test_empty_payloads_and_no_bytes_at_all_are_fine() -> None:
    """Length 0 is a frame; a chunk of nothing is nothing."""
    assert decode_in([b"", encode_frame(FrameType.BYTES), b""]) == [(FrameType.BYTES, 0, b"")]


def cut(data: bytes, at: int) -> list[bytes]:
    return [data[:at], data[at:]]


HEADS = [HEADER.size, 4, 1]
"""Where a frame is cut: at the end of its header, or within it."""


@pytest.mark.limit("max_message")
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", DATA)
def test_a_data_frame_may_be_as_large_as_a_message(kind: FrameType, head: int) -> None:
    """At the limit it passes, one byte over it does not, and that is said at the header."""
    whole = encode_frame(kind, 0, bytes(100))
    assert decode_in([whole], max_message=100) == [(kind, 0, bytes(100))]
    assert decode_in(cut(whole, head), max_message=100) == [(kind, 0, bytes(100))]

    with pytest.raises(ProtocolError) as caught:
        decode_in(cut(HEADER.pack(101, kind, 0), head), max_message=100)
    assert (caught.value.code, caught.value.limit) == ("too-large", "max_message")


@pytest.mark.limit("protocol.control")
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", OTHERS)
def test_a_frame_without_data_has_a_limit_of_its_own(kind: FrameType, head: int) -> None:
    """However large, or small, messages may be."""
    whole = encode_frame(kind, 0, bytes(MAX_CONTROL))
    assert decode_in([whole], max_message=1) == [(kind, 0, bytes(MAX_CONTROL))]
    assert decode_in(cut(whole, head), max_message=1) == [(kind, 0, bytes(MAX_CONTROL))]

    with pytest.raises(ProtocolError) as caught:
        decode_in(cut(HEADER.pack(MAX_CONTROL + 1, kind, 0), head), max_message=1 << 30)
    assert (caught.value.code, caught.value.limit) == ("too-large", "protocol.control")


@pytest.mark.parametrize("declared", [2**31, 2**31 - 1, 2**32 - 1, (1 << 20) + 1])
@pytest.mark.parametrize("kind", [0x00, 0x01, 0x1F, 0x20, 0x22, 0xFF])
def test_a_declared_size_over_the_limit_is_an_error_at_once(declared: int, kind: int) -> None:
    """Whatever the type, known or not."""
    with pytest.raises(ProtocolError):
        decode_in([HEADER.pack(declared, kind, 0)])


def test_nothing_is_allocated_for_a_declared_size() -> None:
    """A header that declares 1 GiB and single bytes after it cost what arrived, about twice at most."""
    decoder = FrameDecoder(1 << 30)
    tracemalloc.start()
    try:
        assert list(decoder.feed(HEADER.pack(1 << 30, FrameType.BYTES, 0))) == []
        for _ in range(30_000):  # so many that what else this process does is little beside it
            assert list(decoder.feed(b"x")) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1.5 * 30_000


SIZE = 1 << 20


@pytest.mark.parametrize("chunk", [1000, 65_536, SIZE])
def test_a_large_message_is_never_here_three_times(chunk: int) -> None:
    """What it was gathered in and the payload are together the most; the gathering is gone when the payload is handed out."""
    decoder = FrameDecoder(SIZE)
    stream = encode_frame(FrameType.BYTES, 0, bytes(SIZE))
    measured: list[tuple[int, int]] = []
    tracemalloc.start()
    try:
        for start in range(0, len(stream), chunk):
            for frame in decoder.feed(stream[start : start + chunk]):
                measured.append(tracemalloc.get_traced_memory())
                del frame
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    ((held, peak),) = measured
    assert peak < 2.2 * SIZE, "a bytearray grows an eighth ahead of what it holds"
    assert held < 1.1 * SIZE + chunk
    assert left < 0.1 * SIZE


class Counted(bytearray):
    """A bytearray that counts the bytes that are copied into it."""

    copied = 0

    def __iadd__(self, data: Any) -> Any:  # type: ignore[misc]  # of whatever is added
        Counted.copied += len(data)
        return super().__iadd__(data)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_fragments_are_copied_in_once_and_out_once(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small they are: twice the bytes are twice the work, and not four times."""
    monkeypatch.setattr("landline.protocol.decoder.bytearray", Counted, raising=False)

    def copied(size: int) -> int:
        Counted.copied = 0
        stream = encode_frame(FrameType.BYTES, 0, bytes(size))
        chunks = [stream[start : start + chunk] for start in range(0, len(stream), chunk)]
        assert decode_in(chunks) == [(FrameType.BYTES, 0, bytes(size))]
        return Counted.copied

    once, twice = copied(20_000), copied(40_000)
    assert 20_000 - 2 * chunk <= once <= 20_000
    assert twice <= 2 * once + 2 * chunk


def test_large_parts_are_kept_as_they_came() -> None:
    """And joined once, when all of the message is here; a part that is most of its chunk keeps it, a small one is copied out of it."""
    decoder = FrameDecoder(1 << 20)
    stream = encode_frame(FrameType.BYTES, 0, bytes(range(256)) * 1024)
    first, second, rest = stream[:100_000], stream[100_000:200_000], stream[200_000:]

    assert list(decoder.feed(first)) == list(decoder.feed(second)) == []
    assert decoder._pieces[1] is second
    assert decoder.held == 200_000

    assert list(decoder.feed(rest)) == [(FrameType.BYTES, 0, stream[HEADER.size :])]
    assert (decoder.held, decoder._pieces) == (0, [])


def test_a_small_part_keeps_no_large_chunk() -> None:
    """What is kept of a frame is at most twice what there is of it."""
    decoder = FrameDecoder(1 << 20)
    whole, begun = (
        encode_frame(FrameType.BYTES, 0, bytes(200_000)),
        encode_frame(FrameType.BYTES, 0, bytes(90_000)),
    )
    assert len(list(decoder.feed(whole + begun[:60_000]))) == 1

    assert isinstance(decoder._pieces[0], bytes)
