"""What a receiver takes, as one account."""

from __future__ import annotations

import pytest

import landline
from landline.errors import TransferRefused
from landline.limits import FILES


def test_what_is_given_back_may_be_taken_again() -> None:
    """And never becomes more than there was."""
    quota = landline.Quota(10, 2)

    quota.take(10, 2)
    with pytest.raises(TransferRefused):
        quota.take(1, 0)
    quota.give_back(4, 1)
    quota.take(4, 1)
    quota.give_back(100, 100)
    assert (quota.used_bytes, quota.used_files) == (0, 0)


@pytest.mark.parametrize("measures", [(-1, 1), (1, -1)])
def test_a_quota_is_not_below_nothing(measures: tuple[int, int]) -> None:
    """That would be a mistake."""
    with pytest.raises(ValueError, match="not below 0"):
        landline.Quota(*measures)


@pytest.mark.limit("files.counted")
def test_a_quota_remembers_so_many_unfinished_transfers() -> None:
    """Of one more it knows nothing, which is never more than was counted; what is asked about is the asker's from then on."""
    quota = landline.Quota()
    for number in range(FILES.counted + 1):
        quota.remember(number, 3, 1)

    assert quota.recall(FILES.counted - 1) == (3, 1)
    assert quota.recall(FILES.counted) == (0, 0)
    assert quota.recall(FILES.counted - 1) == (0, 0)
    quota.remember("nothing", 0, 0)
    quota.remember("more", 3, 1)
    assert quota.recall("more") == (3, 1)
