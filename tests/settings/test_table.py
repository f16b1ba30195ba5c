"""The table keeps its own rules: every setting can be set in every way, and no two share a name."""

from __future__ import annotations

import pytest

from landline.settings.table import NOT_SETTINGS, SETTINGS


def test_no_two_settings_share_a_key_a_flag_or_a_variable() -> None:
    """Only ``also`` is shared, on purpose."""
    for names in (
        [setting.key for setting in SETTINGS],
        [setting.flag for setting in SETTINGS if setting.flag],
        [setting.variable for setting in SETTINGS],
    ):
        assert len(names) == len(set(names))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_a_setting_has_flag_variable_key_and_default(setting: object) -> None:
    """From one row."""
    from landline.settings.table import Setting

    assert isinstance(setting, Setting)
    assert setting.secret != bool(setting.flag)  # a secret has no flag, anything else has one
    assert all(
        variable.startswith("LANDLINE_") and variable not in NOT_SETTINGS for variable in setting.variables
    )
    assert setting.key.count(".") <= 1
    assert not setting.meaning.endswith(".")
    value = setting.default({})[0] if callable(setting.default) else setting.default
    assert (
        value in ((), "", None)
        or type(value) in (str, int, bool, tuple)
        or setting.key in ("data", "chat.downloads")
    )


def test_the_names_that_people_know_are_these() -> None:
    """They stand in documents and shell profiles: renaming one breaks somebody."""
    variables = {variable for setting in SETTINGS for variable in setting.variables}

    assert variables >= {
        "LANDLINE_HOST",
        "LANDLINE_PORT",
        "LANDLINE_NAME",
        "LANDLINE_ADDRESS",
        "LANDLINE_DATA",
    }
