"""Answers to requests that no application sees."""

from __future__ import annotations

import h11

from landline.web.refusal import Refused, refusal


def test_a_refusal_is_a_whole_answer_and_the_last_one() -> None:
    """It can be read by anything that reads HTTP, and has what every answer has."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(refusal(Refused(426, "Speak something else.", headers=[(b"upgrade", b"websocket")])))
    answer, body, end = (reader.next_event() for _ in range(3))

    assert (
        isinstance(answer, h11.Response) and isinstance(body, h11.Data) and isinstance(end, h11.EndOfMessage)
    )
    assert (answer.status_code, body.data) == (426, b"Speak something else.\n")
    fields = dict(answer.headers)
    assert fields[b"connection"] == b"close" and fields[b"upgrade"] == b"websocket"
    assert fields[b"x-content-type-options"] == b"nosniff" and b"date" in fields


def test_a_refusal_of_head_has_no_body() -> None:
    """What follows the fields would be read as the next answer."""
    said = refusal(Refused(404, "Nothing."), has_body=False)

    assert said.endswith(b"\r\n\r\n") and b"content-length: 9\r\n" in said


def test_what_a_caller_said_ends_no_line_of_the_answer() -> None:
    """A sentence is only ever a body."""
    said = refusal(Refused(400, "You said 'a\r\nset-cookie: b'."))

    assert b"set-cookie" not in said.partition(b"\r\n\r\n")[0]


def test_what_a_caller_said_is_not_said_back_at_length() -> None:
    """A small question would have a large answer."""
    assert len(refusal(Refused(400, "x" * 100_000))) < 1000
