"""Where a setting's value comes from, and what a person is told when it cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from landline.errors import SettingsError
from landline.settings import Loaded, Rank, Settings, load, loader
from landline.settings.table import SETTINGS, TEXT, Setting


@pytest.fixture(autouse=True)
def _empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No landline.toml in the current folder, and none of the user's."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")


def written(tmp_path: Path, text: str) -> Path:
    """A configuration file that says ``text``."""
    file = tmp_path / "landline.toml"
    file.write_text(text, encoding="utf-8")
    return file


def loaded(*, config: Path | None = None, flags: dict[str, object] | None = None, **environ: str) -> Loaded:
    """What is found in this environment, and no other."""
    return load(flags=flags, environ=environ, config=config)


def refusal(
    *, config: Path | None = None, flags: dict[str, object] | None = None, **environ: str
) -> list[str]:
    """The sentences of the refusal."""
    with pytest.raises(SettingsError) as caught:
        load(flags=flags, environ=environ, config=config)
    return str(caught.value).splitlines()


# Who wins.


def test_flag_wins_over_variable_over_file_over_default(tmp_path: Path) -> None:
    """Taking away the strongest each time, the next one shows."""
    file = written(tmp_path, "port = 3")

    assert loaded().settings.port == 12345
    assert loaded(config=file).settings.port == 3
    assert loaded(config=file, LANDLINE_PORT="2").settings.port == 2
    assert loaded(config=file, LANDLINE_PORT="2", flags={"port": "1"}).settings.port == 1


def test_what_nobody_set_is_what_the_tree_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defaults of the table and those of ``Settings()`` are the same."""
    monkeypatch.setattr("getpass.getuser", lambda: "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    assert loaded().settings == Settings()


def test_every_value_says_where_it_came_from(tmp_path: Path) -> None:
    """The sources are what a person would look for: flag, variable, file."""
    file = written(tmp_path, '[log]\nlevel = "info"')
    values = loaded(config=file, LANDLINE_PORT="2", flags={"host": "example.org"}).values

    assert (values["host"].rank, values["host"].source) == (Rank.FLAG, "--host")
    assert (values["port"].rank, values["port"].source) == (Rank.VARIABLE, "LANDLINE_PORT")
    assert (values["log.level"].rank, values["log.level"].source) == (Rank.FILE, str(file))
    assert (values["loop"].rank, values["loop"].source) == (Rank.DEFAULT, "default")
    assert list(values) == [setting.key for setting in SETTINGS]


def test_an_empty_variable_counts_as_not_set() -> None:
    """``LANDLINE_PORT= make run`` asks for the default."""
    assert loaded(LANDLINE_PORT="").values["port"].source == "default"


def test_the_file_is_asked_for_or_found(tmp_path: Path) -> None:
    """--config wins over LANDLINE_CONFIG, that over ./landline.toml, that over the user's."""
    ours, named = written(tmp_path, "port = 1"), tmp_path / "named.toml"
    named.write_text("port = 2")

    users = tmp_path / "home" / "landline" / "landline.toml"
    users.parent.mkdir()
    users.write_text("port = 4")
    assert loaded().settings.port == 4
    assert loaded().settings.config_file == users
    Path("landline.toml").write_text("port = 3")
    assert loaded().settings.port == 3
    assert loaded(LANDLINE_CONFIG=str(named)).settings.port == 2
    assert loaded(config=ours, LANDLINE_CONFIG=str(named)).settings.port == 1


# What is refused.


def test_a_place_where_no_file_can_be_looked_for_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be another user's, as where somebody runs it for another and HOME stays: nobody asked for that file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ("x" * 300)))

    assert load(environ={}).settings.config_file is None


def test_a_bad_port_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """Text, numbers out of range, digits of other scripts, and quotes in the file: each named with its source."""
    must = "it must be a whole number from 0 to 65535"
    assert refusal(LANDLINE_PORT="http") == [f'LANDLINE_PORT is "http", but {must}']
    assert refusal(LANDLINE_PORT="65536") == [f'LANDLINE_PORT is "65536", but {must}']
    assert refusal(LANDLINE_PORT="-1") == [f'LANDLINE_PORT is "-1", but {must}']
    assert refusal(LANDLINE_PORT="1_0") == [f'LANDLINE_PORT is "1_0", but {must}']
    assert refusal(LANDLINE_PORT="１２") == [f'LANDLINE_PORT is "１２", but {must}']
    assert refusal(LANDLINE_PORT="9" * 5000) == [f'LANDLINE_PORT is "{"9" * 76}..., but {must}']
    assert refusal(LANDLINE_PORT="9" * 78) == [f'LANDLINE_PORT is "{"9" * 78}", but {must}']
    assert refusal(flags={"port": "x"}) == [f'--port is "x", but {must}']
    file = written(tmp_path, 'port = "12346"')
    assert refusal(config=file) == [f'{file}: port is "12346", but {must}, without quotes']
    file = written(tmp_path, "port = true")
    assert refusal(config=file) == [f"{file}: port is True, but {must}"]


def test_the_edges_of_a_range_are_in_it() -> None:
    """0 and 65535 are ports."""
    assert loaded(LANDLINE_PORT="0").settings.port == 0
    assert loaded(LANDLINE_PORT="65535").settings.port == 65535


@pytest.mark.limit("setting.history")
def test_every_bad_key_has_its_own_sentence(tmp_path: Path) -> None:
    """Nobody wants to learn of the second mistake after the first is mended."""
    file = written(tmp_path, 'port = 70000\nloop = "fast"\n[serve]\noperator = "yes"\nhistory = 301')

    assert refusal(config=file, LANDLINE_COLOUR="red") == [
        f"{file}: port is 70000, but it must be a whole number from 0 to 65535",
        f'{file}: loop is "fast", but it must be auto, asyncio or uvloop',
        'LANDLINE_COLOUR is "red", but it must be auto, always or never',
        f'{file}: serve.operator is "yes", but it must be true or false, without quotes',
        f"{file}: serve.history is 301, but it must be a whole number from 0 to 300",
    ]


def test_a_bad_value_is_told_even_where_a_stronger_one_hides_it(tmp_path: Path) -> None:
    """Else the mistake shows on the day the flag is left out."""
    assert "LANDLINE_PORT" in refusal(LANDLINE_PORT="x", flags={"port": "1"})[0]


def test_the_error_names_the_key_and_the_source() -> None:
    """A program can act on the attributes."""
    with pytest.raises(SettingsError) as caught:
        load(environ={"LANDLINE_LOOP": "x"})

    assert (caught.value.key, caught.value.source) == ("loop", "LANDLINE_LOOP")


def test_an_unknown_key_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    """A misspelled key, and a key in the wrong table."""
    file = written(
        tmp_path, 'prot = 1\nname = "ana"\n[serve]\nhistroy = 3\n[cart]\nroom = ["a"]\n[log]\nzzz = 1'
    )

    assert refusal(config=file) == [
        f"{file}: there is no setting prot; did you mean port?",
        f"{file}: there is no setting name; did you mean chat.name?",
        f"{file}: there is no setting serve.histroy; did you mean serve.history?",
        f"{file}: there is no setting cart.room; did you mean chat.room?",
        f"{file}: there is no setting log.zzz; `landline config` lists those there are",
    ]


def test_a_table_written_as_a_value_is_refused(tmp_path: Path) -> None:
    """And a value written as a table."""
    file = written(tmp_path, "serve = 3\n[port]\nnumber = 3")

    lines = refusal(config=file)

    assert lines[0] == f"{file}: serve is 3, but it must be a table: [serve]"
    assert lines[1].startswith(f"{file}: there is no setting port.number")


def test_an_empty_table_is_fine(tmp_path: Path) -> None:
    """A file may keep the heading of what is commented out."""
    assert loaded(config=written(tmp_path, "[serve]\n[chat]")).settings.serve.history == 50


def test_toml_that_cannot_be_read_is_refused_with_the_line(tmp_path: Path) -> None:
    """Bad syntax, bytes that are no UTF-8, a folder, and a file that is not there."""
    file = written(tmp_path, "host = 'a'\nport 3\n")
    assert refusal(config=file)[0].startswith(f"{file} cannot be read: ")
    assert "line 2" in refusal(config=file)[0]
    file.write_bytes(b"# one\n# two\nhost = '\xff'\n")
    assert refusal(config=file) == [f"{file} cannot be read: it is not UTF-8 (at line 3)"]
    assert refusal(config=tmp_path) == [f"{tmp_path} cannot be read: is a directory"]
    gone = tmp_path / "gone.toml"
    assert refusal(config=gone) == [f"there is no file {gone}, which --config names"]
    assert refusal(LANDLINE_CONFIG=str(gone)) == [f"there is no file {gone}, which LANDLINE_CONFIG names"]


def test_control_characters_are_refused_and_not_shown() -> None:
    """A name from the environment must not be able to move a cursor, not even in the sentence that refuses it."""
    (line,) = refusal(LANDLINE_NAME="\x1b[2Jana")

    assert line == "LANDLINE_NAME is '\\x1b[2Jana', but it must be text without control characters"


# What is only warned of.


def test_an_unknown_variable_is_warned_of_with_a_suggestion() -> None:
    """It may be meant for another version, so it does not fail."""
    warnings = loaded(LANDLINE_PROT="1", LANDLINE_XYZZY="1").warnings

    assert warnings == (
        "no setting has the variable LANDLINE_PROT; did you mean LANDLINE_PORT?",
        "no setting has the variable LANDLINE_XYZZY; `landline config` lists those there are",
    )


def test_variables_that_are_no_settings_do_not_warn(tmp_path: Path) -> None:
    """Those of the tests, of make, and the file's name."""
    environ = {
        "LANDLINE_TEST_LOOP": "uvloop",
        "LANDLINE_REQUIRE": "nc",
        "LANDLINE_FROM_MAKE": "1",
        "HOME": "/",
    }
    environ |= {
        variable: "1" for setting in SETTINGS for variable in setting.variables if setting.key == "port"
    }

    assert load(environ=environ | {"LANDLINE_CONFIG": str(written(tmp_path, ""))}).warnings == ()


# Addresses.


def test_addresses_follow_host_and_port() -> None:
    """Both sides of the talk read the same two settings."""
    settings = loaded(LANDLINE_HOST="example.org", LANDLINE_PORT="7").settings

    assert settings.serve.addresses == ("tcp://example.org:7",)
    assert settings.chat.address == "tcp://example.org:7"
    assert loaded(LANDLINE_HOST="::1").settings.chat.address == "tcp://[::1]:12345"


def test_a_wildcard_host_is_listened_on_and_never_dialled() -> None:
    """The shell that exports it may run both."""
    settings = loaded(LANDLINE_HOST="0.0.0.0").settings

    assert settings.serve.addresses == ("tcp://0.0.0.0:12345",)
    assert settings.chat.address == "tcp://localhost:12345"


def test_addresses_are_several_for_the_server_and_the_first_for_the_chat(tmp_path: Path) -> None:
    """LANDLINE_ADDRESS is for both; each side's own variable wins."""
    both = "tcp://example.org:1, unix:///run/x.sock"
    settings = loaded(LANDLINE_ADDRESS=both).settings
    assert settings.serve.addresses == ("tcp://example.org:1", "unix:///run/x.sock")
    assert settings.chat.address == "tcp://example.org:1"

    settings = loaded(LANDLINE_ADDRESS=both, LANDLINE_CHAT_ADDRESS="unix:///y").settings
    assert settings.chat.address == "unix:///y"
    assert settings.serve.addresses[0] == "tcp://example.org:1"

    file = written(tmp_path, '[serve]\naddress = ["a:1", "b:2"]\n[chat]\naddress = "c:3"')
    settings = loaded(config=file).settings
    assert settings.serve.addresses == ("tcp://a:1", "tcp://b:2")
    assert settings.chat.address == "tcp://c:3"


def test_a_port_from_a_stronger_place_beats_an_address() -> None:
    """``--port`` is never silently without effect."""
    loaded_now = loaded(LANDLINE_ADDRESS="tcp://example.org:1", flags={"port": "7"})

    assert loaded_now.settings.serve.addresses == ("tcp://localhost:7",)
    assert loaded_now.values["serve.address"].source == "--port"
    same_place = loaded(LANDLINE_ADDRESS="tcp://example.org:1", LANDLINE_PORT="7").settings
    assert same_place.serve.addresses == ("tcp://example.org:1",)  # the more exact one
    assert refusal(flags={"port": "7", "serve.address": ("a:1",)}) == [
        "--address already says where: leave --port out"
    ]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("example.org", "tcp://example.org:12345"),
        ("example.org:1", "tcp://example.org:1"),
        ("127.0.0.1:65535", "tcp://127.0.0.1:65535"),
        ("::1", "tcp://[::1]:12345"),
        ("[::1]", "tcp://[::1]:12345"),
        ("[::1]:1", "tcp://[::1]:1"),
        ("unix:///x y", "unix:///x y"),
        ("tcp://host:99999", "tcp://host:99999"),  # judged where it is dialled
    ],
)
def test_an_address_may_leave_out_scheme_and_port(text: str, address: str) -> None:
    """What people type becomes a whole address."""
    assert loader.whole_address(text, 12345, "ADDRESS") == address


@pytest.mark.parametrize("text", ["host:", "host:http", "host:65536", "host:123456", ":12345", "host:１"])
def test_an_address_with_a_bad_port_is_refused(text: str) -> None:
    """With one that works."""
    with pytest.raises(SettingsError, match="an address looks like tcp://localhost:12345"):
        loader.whole_address(text, 12345, "ADDRESS")


# The rest of the tree.


def test_the_name_falls_back_on_the_login() -> None:
    """And the client knows whether somebody chose it."""
    chat = loaded(LOGNAME="zoe", USER="ben").settings.chat
    assert (chat.name, chat.name_chosen) == ("zoe", False)

    chat = loaded(USER="ben", LANDLINE_NAME=" ana ").settings.chat
    assert (chat.name, chat.name_chosen) == ("ana", True)


def test_a_user_without_a_name_has_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the user number may be known to nobody."""

    def nobody() -> str:
        raise OSError("no login name")

    monkeypatch.setattr("getpass.getuser", nobody)

    assert loaded().settings.chat.name == ""


def test_rooms_are_a_list(tmp_path: Path) -> None:
    """In the environment with commas or spaces, in the file an array, by flags one at a time."""
    assert loaded().settings.chat.rooms == ("lobby",)
    assert loaded(LANDLINE_CHAT_ROOM="a, b c").settings.chat.rooms == ("a", "b", "c")
    assert loaded(flags={"chat.room": ("a", "b c")}).settings.chat.rooms == ("a", "b c")
    assert loaded(config=written(tmp_path, "[chat]\nroom = ['x']")).settings.chat.rooms == ("x",)
    assert "a list of texts" in refusal(config=written(tmp_path, "[chat]\nroom = ['x', 3]"))[0]
    assert "a list of texts" in refusal(config=written(tmp_path, "[chat]\nroom = []"))[0]


def test_the_data_folder_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the current folder, from the file's folder, from the home folder, or systemd's."""
    monkeypatch.setenv("HOME", "/home/ana")
    file = written(tmp_path, 'data = "store"')

    assert loaded(LANDLINE_DATA=".landline").settings.data == Path.cwd() / ".landline"
    assert loaded(config=file).settings.data == tmp_path / "store"
    assert loaded(config=file, LANDLINE_DATA="here").settings.data == Path.cwd() / "here"
    assert loaded(LANDLINE_DATA="~/chat").settings.data == Path("/home/ana/chat")
    assert loaded(STATE_DIRECTORY="/var/lib/landline:/var/lib/other").settings.data == Path(
        "/var/lib/landline"
    )
    assert loaded(STATE_DIRECTORY="/a", LANDLINE_DATA="/b").settings.data == Path("/b")
    assert loaded().settings.data.is_absolute()


def test_yes_and_no_have_several_words() -> None:
    """In the environment; any case."""
    words = dict.fromkeys(("yes", "true", "1", "ON"), True) | dict.fromkeys(
        ("no", "False", "0", "off"), False
    )
    for word, meant in words.items():
        assert loaded(LANDLINE_SERVE_OPERATOR=word).settings.serve.operator is meant
    assert loaded(flags={"serve.operator": False}).settings.serve.operator is False


def test_verbose_and_quiet_move_the_log_level() -> None:
    """Unless a flag says the level itself."""

    def level(verbose: int, **flags: object) -> str:
        loaded_now = load(
            environ={"LANDLINE_LOG_LEVEL": "warning"}, verbose=verbose, flags={"log.level": None} | flags
        )
        assert loaded_now.settings.log.level == loaded_now.values["log.level"].value
        source = {-1: "--quiet", 0: "LANDLINE_LOG_LEVEL"}.get(verbose, "--verbose")
        assert loaded_now.values["log.level"].source == ("--log-level" if flags else source)
        return loaded_now.settings.log.level

    assert [level(verbose) for verbose in (-1, 0, 1, 2, 3)] == ["error", "warning", "info", "debug", "debug"]
    assert level(2, **{"log.level": "error"}) == "error"


def test_colour_is_decided_from_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """auto: a terminal that is not dumb, and no NO_COLOR; a choice beats them."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    assert loaded().settings.colour
    assert not loaded(NO_COLOR="1").settings.colour
    assert loaded(NO_COLOR="").settings.colour
    assert not loaded(TERM="dumb").settings.colour
    assert loaded(NO_COLOR="1", flags={"colour": "always"}).settings.colour
    assert not loaded(LANDLINE_COLOUR="never").settings.colour
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert not loaded().settings.colour
    assert loaded(LANDLINE_COLOUR="always").settings.colour


def test_the_log_is_for_people_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself it looks at stderr."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert loaded().settings.log.format == "human"
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert loaded().settings.log.format == "json"
    assert loaded(LANDLINE_LOG_FORMAT="human").settings.log.format == "human"


def test_started_by_make_is_known() -> None:
    """By its own word, or by make's variable in a checkout; another project's make means nothing."""
    assert loaded(LANDLINE_FROM_MAKE="1").settings.from_make
    assert not loaded(LANDLINE_FROM_MAKE="0").settings.from_make
    assert not loaded(MAKELEVEL="1").settings.from_make
    Path("scripts").mkdir()
    Path("scripts/bootstrap.py").touch()
    assert loaded(MAKELEVEL="1").settings.from_make
    assert not loaded().settings.from_make


# Secrets.

SECRET = (Setting("serve.password", TEXT, "", "a password", secret=True),)


def secret(environ: dict[str, str]) -> str:
    """The value of the secret in this environment."""
    value = loader.find_values(SECRET, flags={}, environ=environ, tree={}, file=None)["serve.password"].value
    assert isinstance(value, str)
    return value


def test_a_secret_comes_from_its_variable_or_from_a_file(tmp_path: Path) -> None:
    """The line end that an editor leaves is not part of it; the variable itself wins."""
    file = tmp_path / "secret"
    file.write_text("opensesame\n")

    assert secret({}) == ""
    assert secret({"LANDLINE_SERVE_PASSWORD_FILE": str(file)}) == "opensesame"
    assert secret({"LANDLINE_SERVE_PASSWORD_FILE": str(file), "LANDLINE_SERVE_PASSWORD": "x"}) == "x"


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    """Not in the sentence that refuses it, and not in that about its file; nor is it read from landline.toml."""
    with pytest.raises(SettingsError) as caught:
        secret({"LANDLINE_SERVE_PASSWORD": "open\x00sesame"})
    assert (
        str(caught.value) == "LANDLINE_SERVE_PASSWORD is set, but it must be text without control characters"
    )

    with pytest.raises(SettingsError) as caught:
        secret({"LANDLINE_SERVE_PASSWORD_FILE": str(tmp_path / "gone")})
    assert "cannot be read: no such file or directory" in str(caught.value)

    with pytest.raises(SettingsError, match="there is no setting"):
        loader.find_values(SECRET, flags={}, environ={}, tree={"serve": {"password": "x"}}, file=tmp_path)


def test_loading_reads_the_process_environment_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program calls ``load()`` and is done."""
    monkeypatch.setenv("LANDLINE_PORT", "7")
    settings: Settings = load().settings

    assert settings.port == 7


@pytest.mark.limit("setting.history", "setting.resume_window")
def test_the_largest_numbers_and_one_more() -> None:
    """The most is fine, one more is refused with the range."""
    settings = loaded(LANDLINE_SERVE_HISTORY="300", LANDLINE_PIPE_RESUME_WINDOW="604800").settings
    assert (settings.serve.history, settings.pipe.resume_window) == (300, 604_800)
    (sentence,) = refusal(LANDLINE_PIPE_RESUME_WINDOW="604801")
    assert "must be a whole number from 1 to 604800" in sentence
    (sentence,) = refusal(LANDLINE_SERVE_HISTORY="301")
    assert "must be a whole number from 0 to 300" in sentence


@pytest.mark.parametrize(
    ("flags", "addresses"),
    [
        ({"serve.public": "yes"}, ("tcp://*:12345",)),
        ({"serve.public": "yes", "port": "7"}, ("tcp://*:7",)),
        ({"serve.public": "yes", "host": "::1"}, ("tcp://[::1]:12345",)),
        ({"serve.public": "yes", "serve.address": ("unix:///a",)}, ("unix:///a",)),
        ({"serve.public": "no"}, ("tcp://localhost:12345",)),
    ],
)
def test_public_is_every_address_unless_somebody_names_one(
    flags: dict[str, object], addresses: tuple[str, ...]
) -> None:
    """A host, or addresses, say where in any case; whoever dials still means this machine."""
    settings = load(flags=flags, environ={}).settings

    assert settings.serve.addresses == addresses
    assert "*" not in settings.chat.address


def test_a_fingerprint_is_read_as_people_write_it() -> None:
    """With its name or without, in pairs or not; what is cut short is none."""
    digits = "AB" * 32
    for text in (digits, f"sha256:{digits}", ":".join(["ab"] * 32)):
        loaded = load(flags={"chat.fingerprint": text}, environ={})
        assert loaded.settings.chat.fingerprint == f"sha256:{digits.lower()}"
    with pytest.raises(SettingsError, match="64 hexadecimal digits"):
        load(flags={"chat.fingerprint": digits[:-1]}, environ={})


def test_nothing_in_a_file_is_no_value(tmp_path: Path) -> None:
    """What ``landline config`` prints for a file that nobody named can stand in landline.toml."""
    file = tmp_path / "landline.toml"
    file.write_text('[serve]\nfiles = ""\n[chat]\nfingerprint = ""\n')

    assert load(config=file, environ={}).values["serve.files"].source == "default"
