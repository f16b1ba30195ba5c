"""Finds every setting's value, and where it came from: flag > environment > landline.toml > default.

What cannot be used is refused with one sentence for each bad key; what was probably meant otherwise becomes a warning.
"""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from landline.errors import SettingsError
from landline.settings.table import NOT_SETTINGS, SETTINGS, YES_NO, Kind, Setting
from landline.settings.tree import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    EVERY_ADDRESS,
    WILDCARDS,
    ChatSettings,
    LogSettings,
    PipeSettings,
    ServeSettings,
    Settings,
    TlsSettings,
    bracketed,
)

FILE_NAME: Final = "landline.toml"
NOTHING: Final = ("", None)
"""Defaults that say that there is none: in a file an empty text says the same."""

# Finding the values.


class Rank(IntEnum):
    """Where a value came from, the strongest first."""

    FLAG = 0
    VARIABLE = 1
    FILE = 2
    DEFAULT = 3


class Value(msgspec.Struct, frozen=True):
    """The value of one setting, and where it came from."""

    value: Any
    rank: Rank
    source: str
    """For people: ``--port``, ``LANDLINE_PORT``, the file's path, or ``default``."""


class Loaded(msgspec.Struct, frozen=True):
    """What ``load()`` found."""

    settings: Settings
    values: dict[str, Value]
    """Every setting's value by key, in the order of the table."""
    warnings: tuple[str, ...]
    """Sentences about what was probably meant otherwise."""


def load(
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    config: Path | None = None,
    verbose: int = 0,
) -> Loaded:
    """Find every setting's value.

    Args:
        flags: what the command line said, by key (``{"port": "12346"}``); text or a tuple of texts.
        environ: the environment; the process's own when None.
        config: the TOML file; when None, LANDLINE_CONFIG names it, else the first of ``./landline.toml`` and the user's that exists.
        verbose: -1 quiet, 1 says more, 2 says everything; moves the log level unless a flag sets that.

    Raises:
        SettingsError: something cannot be used; the message holds a sentence for each, a line each.
    """
    environ = os.environ if environ is None else environ
    file, tree = read_file(config, environ)
    values = find_values(SETTINGS, flags=flags or {}, environ=environ, tree=tree, file=file)
    settings = _settings(values, environ, verbose=verbose, file=file)
    return Loaded(settings, values, tuple(_unknown_variables(environ)))


def read_file(config: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, dict[str, Any]]:
    """Return the TOML file that counts, and what it says; ``(None, {})`` when there is none.

    Raises:
        SettingsError: a file that was asked for is missing, or the file cannot be read.
    """
    source = "--config" if config else "LANDLINE_CONFIG"
    wanted = config or (
        Path(environ["LANDLINE_CONFIG"]).expanduser() if environ.get("LANDLINE_CONFIG") else None
    )
    file = wanted or next((path for path in _usual_files() if _is_there(path)), None)
    if file is None:
        return None, {}
    try:
        return file, tomllib.loads(file.read_bytes().decode())
    except FileNotFoundError:
        message = f"there is no file {file}, which {source} names"
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"{file} cannot be read: it is not UTF-8 (at line {line})"
    except tomllib.TOMLDecodeError as error:
        message = f"{file} cannot be read: {str(error)[:1].lower()}{str(error)[1:]}"
    except (OSError, ValueError) as error:
        message = f"{file} cannot be read: {(getattr(error, 'strerror', None) or str(error)).lower()}"
    raise SettingsError(message, source=str(file))


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # another user's folder, as when HOME is still theirs
        return False


def _usual_files() -> Iterator[Path]:
    import platformdirs

    yield Path(FILE_NAME)
    yield platformdirs.user_config_path("landline", appauthor=False) / FILE_NAME


def find_values(
    table: tuple[Setting, ...],
    *,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    tree: Mapping[str, Any],
    file: Path | None,
) -> dict[str, Value]:
    """Return the value of each setting of ``table`` by the order flag, variable, file, default.

    Raises:
        SettingsError: as ``load()``. Every value that is given is checked, also one that a stronger one hides.
    """
    problems: list[SettingsError] = []
    written = dict(_flatten(tree, table, file, problems))
    values: dict[str, Value] = {}
    for setting in table:
        given: list[Value] = []
        for rank, source, raw in _given(setting, flags, environ, written, file, problems):
            try:
                given.append(Value(_read(setting, rank, source, raw, file), rank, source))
            except SettingsError as error:
                problems.append(error)
        values[setting.key] = given[0] if given else _default(setting, environ)
    if problems:
        first = problems[0]
        raise SettingsError("\n".join(map(str, problems)), key=first.key, source=first.source) from None
    return values


def _given(
    setting: Setting,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    written: Mapping[str, object],
    file: Path | None,
    problems: list[SettingsError],
) -> Iterator[tuple[Rank, str, object]]:
    if (raw := flags.get(setting.key)) not in (None, ()):
        yield Rank.FLAG, setting.flag, raw
    for variable in setting.variables:
        if text := environ.get(variable):  # set to nothing counts as not set
            yield Rank.VARIABLE, variable, text
        if setting.secret and (path := environ.get(variable + "_FILE")):
            try:
                yield Rank.VARIABLE, variable + "_FILE", Path(path).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, ValueError) as error:
                reason = (getattr(error, "strerror", None) or "it is not UTF-8 text").lower()
                sentence = f"{variable}_FILE names {path}, which cannot be read: {reason}"
                problems.append(SettingsError(sentence, key=setting.key, source=variable + "_FILE"))
    if setting.key in written and not (written[setting.key] == "" and setting.default in NOTHING):
        yield Rank.FILE, str(file), written[setting.key]


def _default(setting: Setting, environ: Mapping[str, str]) -> Value:
    if not callable(setting.default):
        return Value(setting.default, Rank.DEFAULT, "default")
    value, source = setting.default(environ)
    return Value(value, Rank.DEFAULT, source)


def _read(setting: Setting, rank: Rank, source: str, raw: object, file: Path | None) -> object:
    kind = setting.kind
    named = f"{source}: {setting.key}" if rank is Rank.FILE else source
    try:
        if rank is Rank.FILE and type(raw) is not kind.toml and not (kind.toml is list and type(raw) is str):
            raise ValueError
        value = kind.read(list(raw) if isinstance(raw, tuple) else raw)
    except ValueError:
        shown = "set" if setting.secret else _shown(raw)
        quotes = (
            ", without quotes"
            if rank is Rank.FILE and isinstance(raw, str) and kind.toml in (int, bool)
            else ""
        )
        sentence = f"{named} is {shown}, but it must be {_expects(kind, rank)}{quotes}"
        raise SettingsError(sentence, key=setting.key, source=source) from None
    if isinstance(value, Path):  # a path in the file counts from the file's own folder
        value = (file.parent / value if rank is Rank.FILE and file else value).absolute()
    return value


def _expects(kind: Kind, rank: Rank) -> str:
    return "true or false" if rank is Rank.FILE and kind is YES_NO else kind.expects


def _shown(raw: object) -> str:
    if isinstance(raw, tuple):  # an option that may be given several times
        return " and ".join(map(_shown, raw))
    text = (
        ascii(raw)
        if isinstance(raw, str) and not raw.isprintable()
        else f'"{raw}"'
        if isinstance(raw, str)
        else repr(raw)
    )
    return text if len(text) <= 80 else text[:77] + "..."


def _flatten(
    tree: Mapping[str, Any], table: tuple[Setting, ...], file: Path | None, problems: list[SettingsError]
) -> Iterator[tuple[str, object]]:
    keys = {setting.key for setting in table if not setting.secret}
    tables = {key.partition(".")[0] for key in keys if "." in key}
    for name, raw in tree.items():
        if isinstance(raw, dict):
            entries = {f"{name}.{inner}": value for inner, value in raw.items()} or (
                {} if name in tables else {name: raw}
            )
        else:
            entries = {name: raw}
        for key, value in entries.items():
            if key in keys:
                yield key, value
            elif key in tables:
                sentence = f"{file}: {key} is {_shown(value)}, but it must be a table: [{key}]"
                problems.append(SettingsError(sentence, key=key, source=str(file)))
            else:
                sentence = f"{file}: there is no setting {key}{_did_you_mean(key, keys)}"
                problems.append(SettingsError(sentence, key=key, source=str(file)))


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = {variable for setting in SETTINGS for variable in setting.variables}
    known |= {setting.variable + "_FILE" for setting in SETTINGS if setting.secret}
    known |= NOT_SETTINGS
    for variable in sorted(environ):
        if (
            variable.startswith("LANDLINE_")
            and not variable.startswith("LANDLINE_TEST_")
            and variable not in known
        ):
            yield f"no setting has the variable {variable}{_did_you_mean(variable, known)}"


def _did_you_mean(wrong: str, known: set[str]) -> str:
    same_end = [key for key in sorted(known) if key.rpartition(".")[2] == wrong.rpartition(".")[2]]
    # What all variables share would make any two of them look alike.
    names = {name.removeprefix("LANDLINE_"): name for name in sorted(known)}
    alike = difflib.get_close_matches(wrong.removeprefix("LANDLINE_"), names, n=1)
    close = same_end or [names[name] for name in alike]
    return f"; did you mean {' or '.join(close)}?" if close else "; `landline config` lists those there are"


# Making the tree.


def _settings(
    values: dict[str, Value], environ: Mapping[str, str], *, verbose: int, file: Path | None
) -> Settings:
    host, port = values["host"].value, values["port"].value
    if values["serve.public"].value and values["host"].rank is Rank.DEFAULT:
        host = EVERY_ADDRESS
    values["serve.address"] = _addresses(values, "serve.address", host)
    values["chat.address"] = _addresses(values, "chat.address", DEFAULT_HOST if host in WILDCARDS else host)
    level = values["log.level"]
    if verbose and level.rank is not Rank.FLAG:
        moved = "error" if verbose < 0 else "info" if verbose == 1 else "debug"
        level = values["log.level"] = Value(moved, Rank.FLAG, "--quiet" if verbose < 0 else "--verbose")
    log_format = values["log.format"].value
    if log_format == "auto":
        log_format = "human" if sys.stderr.isatty() else "json"
    colour = values["colour"].value
    plain_screen = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    name = values["chat.name"]
    by_make = environ.get("LANDLINE_FROM_MAKE", "") not in ("", "0")
    return Settings(
        host=host,
        port=port,
        data=values["data"].value,
        loop=values["loop"].value,
        colour=colour == "always" or (colour == "auto" and not plain_screen),
        token=values["token"].value,
        verbose=verbose,
        from_make=by_make or ("MAKELEVEL" in environ and Path("scripts/bootstrap.py").is_file()),
        config_file=file,
        log=LogSettings(level=level.value, format=log_format),
        tls=TlsSettings(certificate=values["tls.certificate"].value, key=values["tls.key"].value),
        serve=ServeSettings(
            addresses=values["serve.address"].value,
            operator=values["serve.operator"].value,
            history=values["serve.history"].value,
            tls=values["serve.tls"].value,
            invite=values["serve.invite"].value,
            client_authority=values["serve.client_authority"].value,
            host_names=values["serve.host_names"].value,
            origins=values["serve.origins"].value,
            files=values["serve.files"].value,
            webhook_token=values["serve.webhook_token"].value,
            metrics_token=values["serve.metrics_token"].value,
        ),
        chat=ChatSettings(
            address=values["chat.address"].value[0],
            name=name.value,
            name_chosen=name.rank is not Rank.DEFAULT,
            rooms=values["chat.room"].value,
            fingerprint=values["chat.fingerprint"].value,
            authority=values["chat.authority"].value,
            invite=values["chat.invite"].value,
            downloads=values["chat.downloads"].value,
        ),
        pipe=PipeSettings(resume_window=values["pipe.resume_window"].value),
    )


def _addresses(values: Mapping[str, Value], key: str, host: str) -> Value:
    """The addresses under ``key``, unless host or port come from a stronger place: ``--port`` beats an address in the environment."""
    own, parts = values[key], (values["host"], values["port"])
    strongest = min(part.rank for part in parts)
    if own.rank is Rank.FLAG and strongest is Rank.FLAG:
        flag = next(part.source for part in parts if part.rank is Rank.FLAG)
        raise SettingsError(f"{own.source} already says where: leave {flag} out", key=key, source=flag)
    if own.value and own.rank <= strongest:
        port = values["port"].value
        return Value(tuple(whole_address(text, port, own.source) for text in own.value), own.rank, own.source)
    # Nobody set it: its rank stays the weakest, though the source tells what it follows.
    named = sorted({part.source for part in parts if part.rank is not Rank.DEFAULT})
    return Value((join_address(host, values["port"].value),), Rank.DEFAULT, " and ".join(named) or "default")


def join_address(host: str, port: int) -> str:
    """Return the address of a host, which may be a bare IPv6 one, and a port."""
    return f"tcp://{bracketed(host)}:{port}"


def whole_address(text: str, port: int, source: str) -> str:
    """Return ``text`` with the scheme and port that people leave out: ``host``, ``host:port``, ``[::1]:port`` and ``::1`` are TCP.

    Raises:
        SettingsError: the port is none, or the host begins with a hyphen. What follows a scheme is checked where it is dialled or listened on.
    """
    if "://" in text:
        return text
    host, colon, written = text.rpartition(":")
    is_option = text.startswith("-")  # one that was taken for the address; no host's name begins so
    if not is_option and (not colon or text.endswith("]") or (":" in host and not host.endswith("]"))):
        return join_address(text, port)
    if is_option or not (
        written.isascii() and written.isdecimal() and len(written) <= 5 and int(written) <= 65535 and host
    ):
        reason = f"{_shown(written)} is no port: " if host and not is_option else ""
        sentence = f"{source} is {_shown(text)}, but {reason}an address looks like {join_address(DEFAULT_HOST, DEFAULT_PORT)}"
        raise SettingsError(sentence, source=source)
    return join_address(host, int(written))
