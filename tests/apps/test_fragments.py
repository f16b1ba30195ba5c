"""What stands behind the # of an address."""

from __future__ import annotations

import pytest

from landline.apps.fragments import fragment_of, read_fragment
from landline.errors import AddressError

PINNED = f"sha256:{'ab' * 32}"


@pytest.mark.parametrize(
    ("secret", "fingerprint", "fragment"),
    [
        ("", "", ""),
        ("s_-1", "", "#key=s_-1"),
        ("", PINNED, f"#sha256={'ab' * 32}"),
        ("s", PINNED, f"#key=s&sha256={'ab' * 32}"),
    ],
)
def test_what_is_written_is_read(secret: str, fingerprint: str, fragment: str) -> None:
    """Each with and without."""
    assert fragment_of("key", secret, fingerprint) == fragment
    assert read_fragment(f"tcp://h:1{fragment}", "key") == ("tcp://h:1", secret, fingerprint)


@pytest.mark.parametrize("fragment", ["", "hush", "key=hush&more=1", "secret=hush"])
def test_what_else_stands_there_is_refused_and_not_repeated(fragment: str) -> None:
    """It may be the secret, cut off in the middle; the message says what the address is for."""
    with pytest.raises(AddressError, match="an address to call: behind the # stand key=… and") as caught:
        read_fragment(f"tcp://h:1#{fragment}", "key", purpose=" to call")

    assert "hush" not in str(caught.value)
