"""``scripts/bootstrap.py``: whatever state a checkout is in, one run makes it whole, and the next one does nothing.

Environments are real; the installer is a small script that writes down how it was called, so nothing is downloaded. The locks are
checked here too.
"""

from __future__ import annotations

import ast
import fcntl
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent

UV = """#!/bin/sh
# A uv that installs nothing but the project's own script, and makes environments by the standard library.
echo "uv $*" >>"$CALLS"
case "$*" in
  *--version*) exit 0 ;;
  venv*) for folder; do :; done; exec "$REAL_PYTHON" -m venv --without-pip "$folder" ;;
  *) [ -z "$UV_BROKEN" ] || { echo "no such index"; exit 2; } ;;
esac
while [ $# -gt 0 ]; do [ "$1" != --python ] || python=$2; shift; done
printf '#!%s\\n' "$python" >"$(dirname "$python")/landline"
"""


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "scripts" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bootstrap = load()


class Checkout:
    """A checkout in a temporary folder, on a machine whose PATH is ours."""

    def __init__(self, folder: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = folder
        self.bin = bin_folder
        self.calls_file = bin_folder / "calls"
        (folder / "requirements").mkdir(parents=True)
        for name in ("run.txt", "test.txt", "uv.txt"):
            (folder / "requirements" / name).write_text(f"# {name}\n")
        (folder / "pyproject.toml").write_text("[project]\n")
        self.bin.mkdir()
        monkeypatch.setenv("PATH", f"{self.bin}:/usr/bin:/bin")
        monkeypatch.setenv("CALLS", str(self.calls_file))
        monkeypatch.setenv("REAL_PYTHON", sys.executable)
        self.program("uv", UV)

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def set_up(self, group: str = "run") -> None:
        bootstrap.Setup(self.root, group, bootstrap.Progress()).run()

    def calls(self) -> list[str]:
        """What was asked of the installer since the last time, its version left out."""
        text = self.calls_file.read_text() if self.calls_file.exists() else ""
        self.calls_file.write_text("")
        return [line for line in text.splitlines() if "--version" not in line]

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def left_overs(self) -> list[str]:
        return sorted(path.name for path in self.root.glob(".venv?*"))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A fresh checkout, with a uv on PATH."""
    return Checkout(tmp_path / "checkout", tmp_path / "bin", monkeypatch)


# From nothing...


def test_a_fresh_checkout_gets_an_environment_at_its_final_place(checkout: Checkout) -> None:
    """The environment is built elsewhere, and its scripts name the place where it ends up."""
    checkout.set_up()

    assert (checkout.venv / "bin" / "landline").read_text() == f"#!{checkout.venv}/bin/python\n"
    assert checkout.left_overs() == []


def test_packages_are_hash_checked(checkout: Checkout) -> None:
    """The lock is installed with its hashes, then the project without looking for anything else."""
    checkout.set_up("test")

    _, lock, project = checkout.calls()
    assert "--require-hashes" in lock
    assert lock.endswith("requirements/test.txt")
    assert "--no-deps" in project
    assert "--no-build-isolation" in project
    assert project.endswith(f"--editable {checkout.root}")


def test_the_second_run_does_nothing(checkout: Checkout) -> None:
    """A stamp that fits is enough: no installer is asked, so no network is needed."""
    checkout.set_up()
    checkout.calls()
    checkout.program("uv", "#!/bin/sh\nexit 1\n")

    checkout.set_up()

    assert checkout.calls() == []


def test_what_the_tests_need_serves_the_program_too(checkout: Checkout) -> None:
    """After `make test`, `make run` has nothing to install; not the other way round."""
    checkout.set_up("test")
    checkout.calls()
    checkout.set_up("run")
    assert checkout.calls() == []

    (checkout.venv / bootstrap.STAMP).unlink()
    checkout.set_up("run")
    checkout.calls()
    checkout.set_up("test")
    assert any("test.txt" in call for call in checkout.calls())


# From what was there...


def test_a_new_lock_is_installed_in_place(checkout: Checkout) -> None:
    """After a `git pull` that changed the lock, the environment is brought up to date."""
    checkout.set_up()
    checkout.calls()
    (checkout.root / "requirements" / "run.txt").write_text("# newer\n")

    checkout.set_up()

    assert [call.split()[1] for call in checkout.calls()] == ["pip", "pip"]
    assert bootstrap.Setup(checkout.root, "run", bootstrap.Progress()).is_current()


def test_a_persons_own_environment_is_filled_and_kept(checkout: Checkout) -> None:
    """A .venv that works and is not ours gets the packages; what else is in it stays."""
    subprocess.check_call([sys.executable, "-m", "venv", "--without-pip", str(checkout.venv)])
    (checkout.venv / "mine").write_text("precious")

    checkout.set_up()

    assert (checkout.venv / "mine").read_text() == "precious"
    assert (checkout.venv / "bin" / "landline").exists()
    assert checkout.left_overs() == []


def test_a_half_built_environment_is_set_aside(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `python3 -m venv` leaves on a machine without ensurepip is moved away, and said to be; nothing is deleted."""
    (checkout.venv / "bin").mkdir(parents=True)
    (checkout.venv / "pyvenv.cfg").write_text("home = /nowhere\n")

    checkout.set_up()

    (aside,) = checkout.left_overs()
    assert (checkout.root / aside / "pyvenv.cfg").read_text() == "home = /nowhere\n"
    assert aside in capsys.readouterr().err
    assert (checkout.venv / "bin" / "landline").exists()


def test_a_checkout_that_moved_is_set_up_anew(checkout: Checkout, tmp_path: Path) -> None:
    """Scripts name the folder they were made in, so a moved checkout gets new ones; ours is replaced, not kept."""
    checkout.set_up()
    (checkout.venv / "from-the-old-place").touch()
    checkout.root = checkout.root.rename(tmp_path / "moved")

    checkout.set_up()

    assert (checkout.venv / "bin" / "landline").read_text() == f"#!{tmp_path}/moved/.venv/bin/python\n"
    assert not (checkout.venv / "from-the-old-place").exists()
    assert checkout.left_overs() == []


def test_what_a_killed_run_left_is_swept(checkout: Checkout) -> None:
    """A build that was killed leaves its own folder only; the next run removes it."""
    (checkout.root / ".venv.new-4711" / "bin").mkdir(parents=True)

    checkout.set_up()

    assert checkout.left_overs() == []


# When it fails...


def test_pip_does_it_where_uv_cannot(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A uv that cannot reach its index hands over to pip, which checks the hashes just the same."""
    monkeypatch.setenv("UV_BROKEN", "1")
    commands: list[list[str]] = []
    call = bootstrap.Setup.call

    def recording_call(setup: object, command: list[str], failure: str) -> None:
        commands.append(command)
        if "pip" not in command[:4] or command[0].endswith("uv"):
            call(setup, command, failure)

    monkeypatch.setattr(bootstrap.Setup, "call", recording_call)
    monkeypatch.setattr(bootstrap.Setup, "find_pip", lambda setup, folder: ["python", "-m", "pip"])

    checkout.set_up()

    lock, project = commands[-2:]
    assert lock[:5] == ["python", "-m", "pip", "install", "--require-hashes"]
    assert "--no-build-isolation" in project


def test_a_failure_leaves_nothing_half_built(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing works, there is no .venv afterwards, and the error shows what the installer said."""
    monkeypatch.setenv("UV_BROKEN", "1")

    def no_pip(setup: object, folder: Path) -> list[str]:
        raise bootstrap.SetupError("no pip")

    monkeypatch.setattr(bootstrap.Setup, "find_pip", no_pip)
    with pytest.raises(bootstrap.SetupError, match="no pip"):
        checkout.set_up()

    assert not checkout.venv.exists()
    assert checkout.left_overs() == []
    assert "no such index" in (checkout.root / ".cache" / "setup.log").read_text()


def test_a_failure_in_place_is_tried_again(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that failed halfway may have changed what was there: not even that counts as done any more."""
    checkout.set_up("run")
    monkeypatch.setenv("UV_BROKEN", "1")
    monkeypatch.setattr(bootstrap.Setup, "find_pip", lambda setup, folder: ["false"])
    with pytest.raises(bootstrap.SetupError):
        checkout.set_up("test")

    assert not bootstrap.Setup(checkout.root, "run", bootstrap.Progress()).is_current()


def test_a_machine_without_any_installer_is_told_what_to_install(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No uv, no ensurepip, no pip: one sentence, exit code 1, and no traceback."""
    (checkout.bin / "uv").unlink()
    monkeypatch.setattr(bootstrap, "ROOT", checkout.root)
    monkeypatch.setattr(bootstrap, "starts", lambda *command: False)

    assert bootstrap.main(["run"]) == 1

    assert "apt install python3-venv" in capsys.readouterr().err


def test_one_set_up_waits_for_the_other(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make chat` in a second terminal while `make run` still installs: it says so, waits, and finds everything done."""

    def locked(file: object, operation: int) -> None:
        if operation & fcntl.LOCK_NB:
            raise BlockingIOError
        assert "another set-up is at work" in capsys.readouterr().err
        (checkout.venv / "bin").mkdir(parents=True)
        for name in ("python", "landline"):
            (checkout.venv / "bin" / name).touch()
        theirs = bootstrap.Setup(checkout.root, "run", bootstrap.Progress()).stamp("run")
        (checkout.venv / bootstrap.STAMP).write_text("\n".join(theirs))

    monkeypatch.setattr(fcntl, "flock", locked)
    checkout.set_up()

    assert checkout.calls() == []
    assert (checkout.venv / bootstrap.STAMP).exists()


# The Python that runs it...


def test_every_old_python_can_read_it() -> None:
    """The script parses on Python 3.6, so that an old one can say what is wrong instead of a SyntaxError."""
    text = (ROOT / "scripts" / "bootstrap.py").read_text(encoding="utf-8")

    tree = ast.parse(text, feature_version=(3, 6))
    # Annotations are evaluated there: plain names, or quoted.
    annotations = [getattr(node, part, None) for node in ast.walk(tree) for part in ("annotation", "returns")]
    evaluated = [ast.unparse(node) for node in annotations if isinstance(node, ast.Subscript | ast.BinOp)]

    assert "from __future__" not in text
    assert evaluated == []


def test_an_old_python_hands_over_to_a_newer_one(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A python3 that is too old looks along PATH for one that is new enough and really starts."""
    monkeypatch.setenv("PATH", str(checkout.bin))
    checkout.program(
        "python3.14", "#!/bin/sh\nexit 127\n"
    )  # a version manager's shim without a version behind it
    checkout.program("python3.13", '#!/bin/sh\ncase "$*" in *version_info*) echo 3 13 ;; *) exit 7 ;; esac\n')
    monkeypatch.setattr(bootstrap, "sys", SimpleNamespace(**{**vars(sys), "version_info": (3, 8, 10)}))

    assert bootstrap.main(["run"]) == 7

    assert f"3.8 is too old, going on with {checkout.bin}/python3.13" in capsys.readouterr().err


def test_an_old_python_alone_says_so(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No newer Python on PATH: what is needed, what is there, and how to name another."""
    monkeypatch.setenv("PATH", str(checkout.bin))
    monkeypatch.setattr(bootstrap, "sys", SimpleNamespace(**{**vars(sys), "version_info": (3, 8, 10)}))

    assert bootstrap.main(["run"]) == 1

    said = capsys.readouterr().err
    assert "needs Python 3.11 or newer; this is 3.8" in said
    assert "PYTHON=" in said


def test_settings_that_would_send_packages_elsewhere_are_left_out(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PIP_USER, PIP_TARGET and an activated environment do not change where things go; caches stay in the checkout."""
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    checkout.program("uv", UV.replace("echo", "env >$CALLS.env; echo", 1))

    checkout.set_up()

    environment = checkout.calls_file.with_suffix(".env").read_text().splitlines()
    assert [line for line in environment if line.startswith(("PIP_USER", "VIRTUAL_ENV"))] == []
    assert f"UV_CACHE_DIR={checkout.root}/.cache/uv" in environment


@pytest.mark.parametrize("arguments", [["everything"], ["run", "test"]])
def test_a_wrong_argument_is_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the usage."""
    assert bootstrap.main(arguments) == 2
    assert "usage" in capsys.readouterr().err


# The locks...


def pins(name: str) -> dict[str, str]:
    """Package → version of a lock."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["run.txt", "test.txt", "uv.txt"])
def test_a_lock_names_no_address(name: str) -> None:
    """Whose index it came from is nobody's business, and would break behind a mirror."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")

    assert "://" not in text
    assert "--index" not in text
    assert str(ROOT) not in text


@pytest.mark.parametrize("name", ["run.txt", "test.txt", "uv.txt"])
def test_every_package_of_a_lock_is_pinned_with_hashes(name: str) -> None:
    """Each requirement says ``name==version`` and at least one hash."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", text.strip())

    assert len(entries) == len(pins(name))
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_tests_run_what_users_run() -> None:
    """What is in both locks has the same version in both."""
    run, test = pins("run.txt"), pins("test.txt")

    assert {name: test.get(name) for name in run} == run


def test_the_lock_and_the_package_need_the_same() -> None:
    """``requirements/run.in`` is the dependencies of pyproject.toml, those of its TLS, and its build backend."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {*project["project"]["dependencies"], *project["build-system"]["requires"]}
    wanted |= {*project["project"]["optional-dependencies"]["tls"]}
    lines = (ROOT / "requirements" / "run.in").read_text(encoding="utf-8").splitlines()

    assert {line for line in lines if line and not line.startswith("#")} == wanted


def test_it_may_be_started_by_name() -> None:
    """The script is executable."""
    assert os.access(ROOT / "scripts" / "bootstrap.py", os.X_OK)
