"""Files for blocking code: offered, accepted, refused."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import landline
from landline import sync

pytestmark = pytest.mark.timeout(60)


def test_files_are_sent_and_taken(tmp_path: Path) -> None:
    """With progress at both ends; who is refused is told why."""
    came: list[landline.ReceivedFile] = []
    seen: list[int] = []
    ids: set[bytes] = set()
    over = threading.Event()

    def take(session: sync.Session) -> None:
        with session.files() as offers:
            for offer in offers:
                ids.add(offer.id)
                if offer.is_folder:
                    offer.refuse("no folders, please")
                else:
                    came.append(
                        offer.accept(tmp_path / "inbox", progress=lambda told: seen.append(told.done))
                    )
        over.set()

    file = tmp_path / "a.txt"
    file.write_bytes(b"x" * 100_000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.txt").write_text("b")
    with sync.serve(take, "tcp://127.0.0.1:0") as listening, sync.connect(listening.addresses[0]) as session:
        sent = session.send_file(file)
        with pytest.raises(landline.TransferRefused, match="no folders, please"):
            session.send_file(tmp_path / "folder")
        session.close()
        assert over.wait(10)

    assert sent.name == "a.txt"
    assert len(ids) == 2
    assert came[0].path.read_bytes() == file.read_bytes()
    assert seen[-1] == 100_000
