#!/usr/bin/env python3
"""Set up ``.venv`` in the checkout: ``python3 scripts/bootstrap.py run`` (the program) or ``test`` (and the tests' tools).

Needs a Python and nothing else; writes nothing outside the checkout. What it installs is pinned and hash-checked by the lock in
``requirements/``. A stamp makes every further run instant and independent of the network. A half-built environment is never left
at ``.venv``: a new one is built in a folder beside it and renamed when complete.

Runs on any Python 3 far enough to say that it is too old: so no newer syntax before the version check, and quoted annotations.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

OLDEST = (3, 11)
CANDIDATES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3", "python")
ROOT = Path(__file__).resolve().parent.parent
STAMP = "landline-setup.txt"  # in the environment, once it is complete
GROUPS = ("run", "test")  # each holds the ones before it
# Variables that would send an install elsewhere than where we say.
MISLEADING = (
    "PIP_PREFIX", "PIP_REQUIRE_HASHES", "PIP_REQUIRE_VIRTUALENV", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH",
    "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_TARGET", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__",
)  # fmt: skip


class SetupError(Exception):
    """Set-up cannot go on; the message says why and what to do."""


def main(arguments: "list[str]") -> int:
    """Set up what ``arguments[0]`` names, ``run`` or ``test``; returns the exit code."""
    group = arguments[0] if arguments else "run"
    if group not in GROUPS or len(arguments) > 1:
        sys.stderr.write("usage: python3 scripts/bootstrap.py [run|test]\n")
        return 2
    if sys.version_info < OLDEST:
        return run_with_newer_python(arguments)
    setup = Setup(ROOT, group, Progress())
    try:
        setup.run()
    except SetupError as error:
        setup.progress.clear()
        sys.stderr.write(f"landline: set-up failed: {error}\n")
        return 1
    except KeyboardInterrupt:
        setup.progress.clear()
        sys.stderr.write("landline: set-up stopped; nothing is half done, the next run starts it again\n")
        return 130
    return 0


def run_with_newer_python(arguments: "list[str]") -> int:
    """Hand over to a newer Python of this machine, or say that there is none."""
    newer = find_python()
    if newer is None:
        sys.stderr.write(
            f"landline needs Python {dotted(OLDEST)} or newer; this is {dotted(sys.version_info[:2])} ({sys.executable}), "
            "and no newer one is on PATH.\n"
            "Install one (Debian, Ubuntu: apt install python3.11; Fedora: dnf install python3.11; macOS: brew install python),\n"
            "or name it: make run PYTHON=/path/to/python3\n"
        )
        return 1
    sys.stderr.write(f"landline: Python {dotted(sys.version_info[:2])} is too old, going on with {newer}\n")
    return subprocess.call([newer, str(Path(__file__).resolve()), *arguments])


def dotted(version: "tuple[int, ...]") -> str:
    """As people write it: 3.11."""
    return ".".join(str(part) for part in version)


def find_python() -> "str | None":
    """The first Python on PATH that is new enough and really starts (a version manager's shim may not)."""
    for name in CANDIDATES:
        path = shutil.which(name)
        if path is not None and python_version(path) >= OLDEST:
            return path
    return None


def python_version(python: "str | Path") -> "tuple[int, ...]":
    """The version of an interpreter, ``(0,)`` when it does not start."""
    # -I and -S: quick, and nothing installed there can disturb.
    command = [str(python), "-I", "-S", "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        output = subprocess.check_output(command, stderr=subprocess.DEVNULL, timeout=30)
        return tuple(int(part) for part in output.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return (0,)


class Setup:
    """One set-up of one checkout."""

    def __init__(self, root: "Path", group: "str", progress: "Progress") -> None:
        self.root = root
        self.group = group
        self.progress = progress
        self.venv = root / ".venv"
        self.cache = root / ".cache"
        self.requirements = root / "requirements"

    def run(self) -> None:
        """Do what is missing; instant when nothing is."""
        if self.is_current():
            return
        started = time.monotonic()
        self.progress.say(f"landline: setting up {self.venv} (once; it may take a minute)")
        self.cache.mkdir(exist_ok=True)
        with self.lock():
            if self.is_current():  # somebody else did it while this one waited
                return
            self.sweep()
            if self.is_ours_but_moved():
                self.build_new()
            elif self.is_usable():
                self.fill_in_place()
            else:
                self.build_new()
        self.progress.say(f"landline: set up in {time.monotonic() - started:.0f} s")

    # Is there anything to do?

    def is_current(self) -> bool:
        """The stamp names this lock for this group or a larger one, and what it promises is there."""
        if not (self.venv / "bin" / "python").exists() or not (self.venv / "bin" / "landline").exists():
            return False
        wanted = GROUPS[GROUPS.index(self.group) :]
        return self.read_stamp() in [self.stamp(group) for group in wanted]

    def stamp(self, group: "str") -> "list[str]":
        """What an environment was made from, one fact a line; the checkout's path is in it, since scripts name it."""
        digest = hashlib.sha256()
        locks = [self.requirements / f"{name}.txt" for name in GROUPS[: GROUPS.index(group) + 1]]
        for path in [Path(__file__), self.root / "pyproject.toml", *locks]:
            digest.update(path.read_bytes() + b"\0")
        return ["landline", str(self.root), group, digest.hexdigest()]

    def read_stamp(self) -> "list[str]":
        """The stamp of ``.venv``; empty where there is none."""
        try:
            return os.fsdecode((self.venv / STAMP).read_bytes()).splitlines()
        except (OSError, ValueError):
            return []

    def is_ours_but_moved(self) -> bool:
        """We made it, and the checkout has moved since: its scripts name the old place."""
        stamp = self.read_stamp()
        return len(stamp) > 1 and stamp[1] != str(self.root)

    def is_usable(self) -> bool:
        """It is an environment that works, whoever made it."""
        python = self.venv / "bin" / "python"
        return (self.venv / "pyvenv.cfg").exists() and python_version(python) >= OLDEST

    # Building...

    def fill_in_place(self) -> None:
        """Add to an environment that works, a person's own one included: what else is in it stays."""
        with contextlib.suppress(FileNotFoundError):
            (self.venv / STAMP).unlink()  # until all is done, the next run must look again
        self.fill(self.venv)

    def build_new(self) -> None:
        """Build beside ``.venv`` and rename when complete, so that no run ever sees half an environment."""
        building = self.root / f".venv.new-{os.getpid()}"
        try:
            self.progress.step("making an environment")
            self.make_environment(building)
            self.fill(building)
            rename_in_scripts(building / "bin", str(building), str(self.venv))
            self.set_aside()
            building.rename(self.venv)
        finally:
            shutil.rmtree(str(building), ignore_errors=True)

    def make_environment(self, folder: "Path") -> None:
        """Make an empty environment of this Python. Never with pip: without Debian's python3-venv that stops halfway."""
        uv = shutil.which("uv")
        if uv is not None and starts(uv):
            with contextlib.suppress(SetupError):
                self.call([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], "")
                return
        self.call([sys.executable, "-m", "venv", "--without-pip", str(folder)], "cannot make an environment")

    def fill(self, folder: "Path") -> None:
        """Install the lock and this project, and stamp it."""
        python = folder / "bin" / "python"
        lock = self.requirements / f"{self.group}.txt"
        installed = False
        uv = self.find_uv(folder)
        if uv is not None:
            self.progress.step("installing packages")
            installed = self.try_uv(uv, python, lock)
        if not installed:
            self.progress.step("installing packages with pip")
            pip = self.find_pip(folder)
            self.call(
                [*pip, "install", "--require-hashes", "--no-deps", "--requirement", str(lock)],
                f"cannot install the packages of requirements/{lock.name}; this needs the network, once",
            )
            self.call(
                [*pip, "install", "--no-deps", "--no-build-isolation", "--editable", str(self.root)],
                "cannot install the project itself",
            )
        (folder / STAMP).write_bytes(os.fsencode("\n".join(self.stamp(self.group)) + "\n"))

    def try_uv(self, uv: "str", python: "Path", lock: "Path") -> bool:
        """Install with uv; False where it cannot (an index that only pip's settings know, say)."""
        install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", str(python)]
        try:
            self.call([*install, "--require-hashes", "--compile-bytecode", "--requirement", str(lock)], "")
            self.call([*install, "--no-build-isolation", "--editable", str(self.root)], "")
        except SetupError:
            return False
        return True

    # Finding an installer...

    def find_uv(self, folder: "Path") -> "str | None":
        """The machine's uv, else the pinned one, put into the environment; None where neither works."""
        for candidate in (shutil.which("uv"), str(folder / "bin" / "uv")):
            if candidate is not None and starts(candidate):
                return candidate
        self.progress.step("fetching the installer")
        try:
            pip = self.find_pip(folder)
            self.call(
                [*pip, "install", "--require-hashes", "--requirement", str(self.requirements / "uv.txt")], ""
            )
        except SetupError:
            return None
        return str(folder / "bin" / "uv")

    def find_pip(self, folder: "Path") -> "list[str]":
        """A pip that installs into the environment: its own, one from ensurepip, or the system's."""
        python = str(folder / "bin" / "python")
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        own = [python, "-m", "pip"]
        if starts(*own):
            return [*own, *quiet]
        if starts(python, "-m", "ensurepip"):
            self.call([python, "-m", "ensurepip", "--upgrade"], "ensurepip does not work")
            return [*own, *quiet]
        system = [sys.executable, "-m", "pip", "--python", python]
        if starts(*system):
            return [*system, *quiet]
        raise SetupError(
            "this Python has neither ensurepip nor pip, and there is no uv.\n"
            "Install one of them (Debian, Ubuntu: apt install python3-venv), then run the same command again."
        )

    # Keeping house...

    @contextlib.contextmanager
    def lock(self) -> "Iterator[None]":
        """Only one set-up at a time works on a checkout."""
        import fcntl

        with (self.cache / "setup.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self.progress.say("landline: another set-up is at work here, waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def sweep(self) -> None:
        """Remove what killed set-ups left behind; called under the lock, so none of them is alive."""
        for left in self.root.glob(".venv.new-*"):
            shutil.rmtree(str(left), ignore_errors=True)

    def set_aside(self) -> None:
        """Make way for the new environment; what we did not make is kept beside it."""
        if not self.venv.exists() and not self.venv.is_symlink():
            return
        if self.read_stamp():
            shutil.rmtree(str(self.venv))
            return
        aside = self.root / time.strftime(".venv.old-%Y%m%d-%H%M%S")
        self.venv.rename(aside)
        self.progress.say(f"landline: {self.venv} does not work; it is now {aside.name}")

    def call(self, command: "list[str]", failure: "str") -> None:
        """Run one step; its output is shown only if it fails.

        Raises:
            SetupError: it failed; ``failure`` says what that means.
        """
        environment = {key: value for key, value in os.environ.items() if key not in MISLEADING}
        environment.setdefault("UV_CACHE_DIR", str(self.cache / "uv"))
        environment.setdefault("PIP_CACHE_DIR", str(self.cache / "pip"))
        environment["UV_PYTHON_DOWNLOADS"] = "never"
        log = self.cache / "setup.log"
        with log.open("ab+") as output:
            begin = output.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=str(self.root),
            )
            try:
                while process.poll() is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=0.2)
                    self.progress.tick()
            except BaseException:
                process.terminate()
                process.wait()
                raise
            output.seek(begin)
            said = output.read().decode("utf-8", "replace").strip()
        if process.returncode != 0:
            tail = "\n".join(said.splitlines()[-15:])
            raise SetupError(f"{failure}\n{tail}\n(all of it: {log})")


def starts(*command: "str") -> bool:
    """The program is there and says its version."""
    try:
        subprocess.run(
            [*command, "--version"],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def rename_in_scripts(folder: "Path", old: "str", new: "str") -> None:
    """Scripts name their interpreter in full: let them name the place where it will be."""
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" not in content and old.encode() in content:  # text
            path.write_bytes(content.replace(old.encode(), new.encode()))


class Progress:
    """Says what is going on: one line that changes on a terminal, one line a step elsewhere."""

    def __init__(self) -> None:
        self.on_terminal = sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb"
        self.doing = ""
        self.since = time.monotonic()

    def say(self, line: "str") -> None:
        """A line that stays."""
        self.clear()
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def step(self, doing: "str") -> None:
        """What is done from now on."""
        self.doing, self.since = doing, time.monotonic()
        if self.on_terminal:
            self.tick()
        else:
            self.say(f"landline: {doing}")

    def tick(self) -> None:
        """Show that it still goes on."""
        if self.on_terminal and self.doing:
            sys.stderr.write(f"\r\x1b[Klandline: {self.doing} … {time.monotonic() - self.since:.0f} s")
            sys.stderr.flush()

    def clear(self) -> None:
        """Wipe the changing line."""
        if self.on_terminal and self.doing:
            sys.stderr.write("\r\x1b[K")
        self.doing = ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
