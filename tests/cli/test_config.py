"""What ``landline config`` shows, and that the reference page is current."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from landline.cli.config import limit_groups, reference_page
from landline.cli.main import main
from landline.limits import FIXED
from landline.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a landline.toml."""
    monkeypatch.chdir(tmp_path)


def test_explain_shows_each_value_and_where_it_came_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flag, variable, file, default, and what follows from another setting."""
    Path("landline.toml").write_text('[log]\nlevel = "info"')
    monkeypatch.setenv("LANDLINE_NAME", "ana")

    assert main(["config", "--explain", "--port", "7", "--room", "a", "--room", "b"]) == 0

    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert list(rows) == [setting.key for setting in SETTINGS]
    assert rows["host"] == ['"localhost"', "default"]
    assert rows["port"] == ["7", "--port"]
    assert rows["log.level"] == ['"info"', "landline.toml"]
    assert rows["chat.name"] == ['"ana"', "LANDLINE_NAME"]
    assert rows["chat.room"] == ['["a",', '"b"]', "--room"]
    assert rows["serve.address"] == ['["tcp://localhost:7"]', "--port"]


def test_config_is_a_file_that_gives_the_same_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept as landline.toml it means what the flags meant; what nobody set stays open."""
    monkeypatch.setenv("LANDLINE_DATA", '/tmp/a "b"')
    arguments = ["--port", "7", "--no-operator", "--name", "Zoë", "--room", "a"]

    assert main(["config", *arguments]) == 0
    text = capsys.readouterr().out

    assert tomllib.loads(text) == {
        "port": 7,
        "data": '/tmp/a "b"',
        "log": {},
        "tls": {},
        "serve": {"operator": False},
        "chat": {"name": "Zoë", "room": ["a"]},
        "pipe": {},
    }
    monkeypatch.delenv("LANDLINE_DATA")
    assert main(["config", "--json", *arguments, "--data", '/tmp/a "b"']) == 0
    by_flags = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    Path("landline.toml").write_text(text, encoding="utf-8")
    assert main(["config", "--json"]) == 0
    by_file = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["value"] for entry in by_file] == [entry["value"] for entry in by_flags]


def test_all_of_config_can_be_uncommented(capsys: pytest.CaptureFixture[str]) -> None:
    """Behind each ``#`` before a value stands TOML that is valid there."""
    assert main(["config"]) == 0
    lines = capsys.readouterr().out.splitlines()

    tree = tomllib.loads("\n".join(line.removeprefix("# ") if " = " in line else line for line in lines))

    keys = {f"{name}.{key}" for name, table in tree.items() if isinstance(table, dict) for key in table}
    assert keys | {name for name in tree if not isinstance(tree[name], dict)} == {
        setting.key for setting in SETTINGS if not setting.secret
    }


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With key, value and source, in the order of the table."""
    assert main(["config", "--json", "--port", "7"]) == 0

    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["key"] for entry in entries] == [setting.key for setting in SETTINGS]
    assert {"key": "port", "value": 7, "source": "--port"} in entries


def test_limits_shows_every_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the library and of its programs: name, default, unit and reason, and whether it can be set; 80 columns are enough."""
    groups = limit_groups()
    assert {"Sessions", "Storage", "The chat's server", "Pipes", "The command line"} <= {
        group.title for group in groups
    }

    assert main(["config", "--limits"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    named = [line.split()[0] for line in lines if re.match(r"  \S", line)]
    assert named == [limit.name for group in groups for limit in group.limits]
    for group in groups:
        assert f"{group.title} ({group.how})" in lines
        assert all(f" {limit.reason} " in f"{' '.join(out.split())} " for limit in group.limits)
        assert all(f"{limit.default:,.15g} {limit.unit}" in out for limit in group.limits)

    assert main(["config", "--limits", "--json"]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(entry["name"], entry["default"], entry["fixed"]) for entry in entries] == [
        (limit.name, limit.default, group.how == FIXED) for group in groups for limit in group.limits
    ]


def test_the_reference_page_is_current() -> None:
    """Mended by ``landline config --markdown > docs/reference/settings.md``."""
    assert (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8") == reference_page()


@pytest.mark.parametrize("form", [[], ["--explain"], ["--json"]])
def test_an_invite_in_an_address_is_shown_to_nobody(
    form: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is shown is passed on when somebody asks for help; the rest of the address stays."""
    monkeypatch.setenv("LANDLINE_ADDRESS", "https://there:1/#invite=Wq3x&sha256=ab")

    assert main(["config", *form]) == 0
    shown = capsys.readouterr().out

    assert "Wq3x" not in shown
    assert "https://there:1/#invite=secret&sha256=ab" in shown
