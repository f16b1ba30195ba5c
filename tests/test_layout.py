"""The shape of the tree: sources and tests mirror each other, and every file says what it is for.

What does not follow the rule stands here with its reason; a reason that has gone fails too, so the lists stay short.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "landline"
TESTS = ROOT / "tests"

TESTED_ELSEWHERE: dict[str, str] = {
    "apps/chat/plain/events.py": "plain facts; apps/chat/plain/test_conversation.py sees each of them",
    "apps/chat/wire_files.py": "plain facts; apps/chat/test_wire.py sends each of them",
    "apps/chat/client/typist.py": "half of the client; apps/chat/client/test_model.py types into it",
    "apps/limits.py": "a table; test_limits.py sees that each row is tried",
    "apps/bench/limits.py": "a table; test_limits.py sees that each row is tried",
    "apps/program/limits.py": "a table; test_limits.py sees that each row is tried",
    "apps/transfer/limits.py": "a table; test_limits.py sees that each row is tried",
    "patterns/files/progress.py": "plain facts; patterns/files/test_sending.py sees what is told",
    "apps/pipe/limits.py": "a table; test_limits.py sees that each row is tried",
    "cli/limits.py": "a table; test_limits.py sees that each row is tried",
    "errors.py": "where each is raised; the tree in test_exports.py, the sentences in cli/test_exits.py",
    "history.py": "plain facts; storage/test_pages.py and protocol/test_feed.py see each arise",
    "testing/simulation/call_safeguards.py": "rows of one table; testing/simulation/test_safeguards.py and test_ablations.py try each",
    "testing/simulation/carrier_safeguards.py": "rows of one table; testing/simulation/test_safeguards.py and test_ablations.py try each",
    "testing/simulation/file_safeguards.py": "rows of one table; testing/simulation/test_safeguards.py and test_ablations.py try each",
    "testing/simulation/flow_safeguards.py": "rows of one table; testing/simulation/test_safeguards.py and test_ablations.py try each",
    "testing/simulation/flows.py": "what both ends do; testing/simulation/test_hub.py and test_desk.py see it done",
    "testing/simulation/outgoing.py": "half of the desk; testing/simulation/test_desk.py and test_sends.py see it go out",
    "testing/simulation/programs.py": "one line each; testing/simulation/test_booth.py, test_circle.py and test_courier.py see each done, test_schedule.py drawn",
    "testing/simulation/presence_safeguards.py": "rows of one table; testing/simulation/test_safeguards.py and test_ablations.py try each",
    "testing/simulation/send_safeguards.py": "rows of one table; testing/simulation/test_safeguards.py and test_ablations.py try each",
    "testing/simulation/stored_safeguards.py": "rows of one table; testing/simulation/test_safeguards.py and test_ablations.py try each",
    "testing/simulation/switched_off.py": "the form of a row; testing/simulation/test_safeguards.py",
    "limits/fixed.py": "tables; test_limits.py sees that each row is tried",
    "limits/sessions.py": "likewise; test_limits.py tries what it may be set to",
    "limits/table.py": "likewise",
    "listening.py": "half of the server; test_server.py and test_server_doors.py ask all that it says",
    "web/site.py": "plain facts; test_server_doors.py and test_asgi.py see each looked at",
    "programs.py": "half of the server; test_server.py sees each run and end",
    "sessions/intake.py": "a form; patterns/test_intake.py tests what has it",
    "patterns/rpc/method_call.py": "plain facts; patterns/rpc/test_service.py and test_streaming.py see each used",
    "patterns/rpc/failure.py": "patterns/rpc/test_answering.py and test_streaming.py see each told, test_calling.py raised",
    "patterns/failures.py": "patterns/test_hub.py and test_hub_disk.py see each told",
    "protocol/kept.py": "what protocol/test_host.py has its host keep",
    "protocol/greeting.py": "half of the connection; protocol/test_connection.py and test_connection_resuming.py greet in every way",
    "protocol/events.py": "plain facts; protocol/test_connection.py sees each of them arise",
}
"""Source files without a test file of their own name, and where they are tested."""

TESTS_OF_THE_WHOLE: dict[str, str] = {
    "apps/chat/page/test_access.py": "apps/chat/page/, for everybody",
    "apps/chat/page/test_leaving.py": "apps/chat/page/, its last words and its questions",
    "apps/chat/client/test_terminal_files.py": "apps/chat/, files from terminal to terminal on bad lines and over a killed server",
    "apps/chat/page/test_files.py": "apps/chat/page/, files from page to page and to a terminal",
    "apps/chat/page/test_lines.py": "apps/chat/page/, on bad lines",
    "apps/chat/page/test_mischance.py": "apps/chat/page/, where others act at the worst moment",
    "apps/chat/page/test_program.py": "apps/chat/page/, its files",
    "apps/chat/page/test_safety.py": "apps/chat/page/, among people who mean harm",
    "apps/chat/page/test_together.py": "apps/chat/page/, among others",
    "javascript/test_javascript.py": "src/landline/javascript/, the client of browsers and Node",
    "patterns/rpc/test_cuts.py": "patterns/rpc/, calls and streams on bad lines and with servers that are killed",
    "protocol/test_vectors.py": "docs/protocol-vectors.json",
    "test_benchmarks.py": "benchmarks/",
    "test_benchmarks_load.py": "benchmarks/native/ and benchmarks/peers/load.py, the load in C and the floor",
    "test_benchmarks_processes.py": "benchmarks/processes.py",
    "test_benchmarks_table.py": "benchmarks/table.py",
    "test_benchmarks_targets.py": "benchmarks/targets.py",
    "test_bootstrap.py": "scripts/bootstrap.py",
    "test_conftest.py": "tests/conftest.py",
    "test_docs.py": "README.md and the other documents",
    "test_everybody.py": "the whole program at its main job",
    "test_examples.py": "examples/",
    "test_exports.py": "the front door, src/landline/__init__.py",
    "test_fuzz.py": "scripts/fuzz.py",
    "test_floods.py": "benchmarks/flood/, the server's memory and its honest clients under floods",
    "javascript/test_in_chromium.py": "src/landline/javascript, in a browser",
    "test_growth.py": "benchmarks/growth/, and benchmarks/storm.py, stalled.py and persistent.py",
    "test_plot.py": "benchmarks/plot.py",
    "test_kills.py": "benchmarks/kills/, kill -9 of a server and its clients, and the judge of their books",
    "test_kills_sends.py": "benchmarks/kills/sends.py, the judge of durable sends",
    "test_layout.py": "the tree",
    "test_public.py": "`landline serve --public`, from another machine",
    "test_public_page.py": "likewise, in a browser",
    "test_promises.py": "docs/reference/promises.md",
    "test_restarts.py": "benchmarks/restarts.py, a server's restarts under callers",
    "test_makefile.py": "Makefile",
    "test_man_page.py": "scripts/man_page.py and docs/landline.1",
    "test_no_literal_addresses.py": "a rule for all sources",
    "test_powercut.py": "benchmarks/powercut/, the storage under power cuts",
}
"""Test files that belong to no single source file, and what they are about."""

LONGEST = 440
"""Lines of a source file; past that it holds a second idea."""

LONGER: dict[str, str] = {
    "session.py": "one class, the public face: most of it is what its words promise",
    "server.py": "one class, the public face: most of it is what its words promise",
    "testing/storage_conformance.py": "one class of short tests: a rule each, in the order of the interface",
}
"""Source files that are longer, and why that is one idea."""

NOT_OUR_WORDS = {"channel", "common", "helpers", "manager", "utils"}


def sources() -> list[Path]:
    return sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))


def files_of_tests() -> list[Path]:
    return sorted(path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))


def python_files() -> list[Path]:
    found: list[Path] = []
    for folder in ("src", "tests", "examples", "benchmarks", "scripts"):
        found += (ROOT / folder).rglob("*.py")
    return sorted(path.relative_to(ROOT) for path in found)


def parsed(path: Path) -> ast.Module:
    """What a file says. It is not kept: hundreds of trees would make every collection of garbage slow until the last test."""
    return ast.parse(path.read_text(encoding="utf-8"))


def defined(tree: ast.Module) -> Iterator[ast.stmt]:
    """What a module and its classes define, without what is in it."""
    for node in tree.body:
        yield node
        if isinstance(node, ast.ClassDef):
            yield from node.body


def mirror(source: Path) -> Path:
    """Where the tests of a source file are: ``protocol/codec.py`` → ``protocol/test_codec.py``; a package's in its own name."""
    if source.name == "__init__.py":
        return source.parent.parent / f"test_{source.parent.name}.py"
    return source.parent / f"test_{source.stem.strip('_')}.py"


def holds_code(source: Path) -> bool:
    """More than a docstring, imports and plain values."""
    tree = parsed(SOURCE / source)
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in tree.body)


def nothing_in(found: set[str], what: str) -> None:
    """Fail with the whole list, one a line."""
    if found:
        pytest.fail(f"{what}:\n" + "\n".join(f"  {name}" for name in sorted(found)), pytrace=False)


def test_every_source_file_has_its_test_file() -> None:
    """``src/landline/a/b.py`` is tested by ``tests/a/test_b.py``, or stands in the list with its reason."""
    missing = {
        source.as_posix()
        for source in sources()
        if holds_code(source) and not (TESTS / mirror(source)).exists()
    }

    nothing_in(
        missing - TESTED_ELSEWHERE.keys(), "without a test file of its name, or a reason in TESTED_ELSEWHERE"
    )
    nothing_in(TESTED_ELSEWHERE.keys() - missing, "in TESTED_ELSEWHERE without need")


def test_every_test_file_has_its_source_file() -> None:
    """``tests/a/test_b.py`` tests ``src/landline/a/b.py`` or a part of it (``test_b_limits.py``), or stands in the list."""
    mirrors = {mirror(source).with_suffix("").as_posix() for source in sources()}
    astray = {
        test.as_posix()
        for test in files_of_tests()
        if not any(f"{test.with_suffix('').as_posix()}_".startswith(f"{name}_") for name in mirrors)
    }

    nothing_in(astray - TESTS_OF_THE_WHOLE.keys(), "without a source file, or a place in TESTS_OF_THE_WHOLE")
    nothing_in(
        TESTS_OF_THE_WHOLE.keys() - {test.as_posix() for test in files_of_tests()}, "listed and not there"
    )


def docstring_of(path: Path) -> str:
    """Return what a file opens with; to parse all of them would take seconds."""
    found = re.match(r'(?:#[^\n]*\n)*"""(.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL)
    return found[1] if found else ""


def test_every_file_opens_with_what_it_is_for() -> None:
    """A module docstring, of more than a word."""
    silent = {path.as_posix() for path in python_files() if len(docstring_of(ROOT / path).split()) < 4}

    nothing_in(silent, "without a docstring that says what the file is for")


def test_no_source_file_is_longer_than_one_idea() -> None:
    """Source files stay below the length at which they hold two."""
    long = {
        source.as_posix()
        for source in sources()
        if len((SOURCE / source).read_bytes().splitlines()) > LONGEST
    }

    nothing_in(long - LONGER.keys(), f"longer than {LONGEST} lines")
    nothing_in(LONGER.keys() - long, "in LONGER without need")


def test_no_module_is_named_for_nothing() -> None:
    """Modules are named with the words of the glossary."""
    used = {
        part
        for source in sources()
        for part in source.with_suffix("").as_posix().replace("/", "_").split("_")
    }

    assert used & NOT_OUR_WORDS == set()


def test_every_test_is_a_sentence() -> None:
    """A test says which behaviour it shows, for whoever sees it fail: in its docstring, or in a name of three words and more."""
    silent = {
        f"{path}:{node.lineno} {node.name}"
        for path in files_of_tests()
        for node in defined(parsed(TESTS / path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and ast.get_docstring(node) is None
        and node.name.count("_") < 3
    }

    nothing_in(silent, "without a sentence")
