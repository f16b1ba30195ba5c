"""The bounded texts and numbers that messages of the chat are made of."""

from __future__ import annotations

from typing import Annotated

import msgspec

from landline.apps.chat.limits import TEXT
from landline.apps.chat.text import MAX_TEXT, RAW_NAME, RAW_ROOM, RAW_TEXT

# What is longer is no message, whoever sent it: what text is worth is decided by whoever reads it, and that takes time. The bounds are wide
# enough that the sentence which refuses a name or a line comes from there.
Name = Annotated[str, msgspec.Meta(max_length=RAW_NAME)]
RoomName = Annotated[str, msgspec.Meta(max_length=RAW_ROOM)]
Text = Annotated[str, msgspec.Meta(max_length=RAW_TEXT)]
Sentence = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
FileName = Annotated[str, msgspec.Meta(max_length=TEXT.file_name)]
"""A file's name as its sender says it: for whoever shows or uses it to make plain."""
Size = Annotated[int, msgspec.Meta(ge=0)]
Word = Annotated[str, msgspec.Meta(max_length=TEXT.word)]
"""Something of the programs' own, such as an epoch."""
