"""What arrives of the same small program when lines drop: with python-socketio, with bare websockets, and with landline.

    .venv/bin/python examples/moving/cut.py [socketio | websockets | landline] …

The first two need packages that `make setup-test` brings.

Each has a server, somebody who watches and somebody who adds, as processes of their own, each behind a proxy that cuts lines. The watcher's line is
away while three are added; the adder's line is cut when the server has added its number and the answer is on its way.
"""

import asyncio
import contextlib
import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOST = "localhost"
NEEDS = {"socketio": ["socketio", "aiohttp"], "websockets": ["websockets"], "landline": ["landline"]}


class Line:
    """A proxy with one line through it: it can be cut, kept away, and keep what the server says."""

    def __init__(self, port):
        self.target = port
        self.port = 0
        self.is_away = False
        self.keeps_answers = False
        self._writers = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error):
        self._server.close()
        self.cut()

    def cut(self):
        """Hang up at both ends; what was on its way is gone."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self.keeps_answers = False

    async def _serve(self, reader, writer):
        if self.is_away:
            writer.transport.abort()
            return
        answers, requests = await asyncio.open_connection(HOST, self.target)
        ends = {writer, requests}
        self._writers |= ends
        await asyncio.gather(self._pass(reader, requests), self._pass(answers, writer, are_answers=True))
        self._writers -= ends

    async def _pass(self, reader, writer, *, are_answers=False):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not (are_answers and self.keeps_answers):
                    writer.write(data)
        writer.close()


@contextlib.asynccontextmanager
async def run(name, *words):
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / f"with_{name}.py"), *map(str, words),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def heard(process):
    return (await process.stdout.readline()).decode().split()


async def play(name):
    """Return the totals while the watcher was away, those of them that it was told, and what the adder was told after the cut."""
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        server = await enter(run(name, "serve"))
        port = int((await heard(server))[1])
        watchers, adders = await enter(Line(port)), await enter(Line(port))
        watcher = await enter(run(name, "watch", watchers.port))
        adder = await enter(run(name, "add", adders.port))
        assert await heard(watcher) == await heard(adder) == ["ready"]
        told = []

        async def listen():
            while words := await heard(watcher):
                if words[0] == "total":
                    told.append(int(words[1]))

        listening = asyncio.create_task(listen())
        totals = 0

        async def add(number=1):
            nonlocal totals
            totals += number
            adder.stdin.write(b"%d\n" % number)
            assert await heard(server) == ["added", str(number)]

        async def add_in_peace(number=1):
            await add(number)
            return await heard(adder)

        async def add_until_watcher_hears():
            await add_in_peace()
            while totals not in told:
                await asyncio.sleep(0.1)  # whoever was away comes back when it likes
                await add_in_peace(0)  # tells the total again, and leaves it as it is

        await add_until_watcher_hears()

        watchers.is_away = True
        watchers.cut()
        away = [int((await add_in_peace())[1]) for _ in range(3)]
        watchers.is_away = False
        await add_until_watcher_hears()

        adders.keeps_answers = True
        await add()
        adders.cut()
        answer = await heard(adder)
        listening.cancel()
        return away, [total for total in told if total in away], " ".join(answer)


async def main(names):
    for name in names or NEEDS:
        missing = [each for each in NEEDS[name] if importlib.util.find_spec(each) is None]
        if missing:
            print(f"{name:10}  needs {' and '.join(missing)}: `make setup-test` brings what is missing")
            continue
        away, arrived, answer = await play(name)
        print(
            f"{name:10}  while the watcher was away: {away}  it was told: {arrived}  the adder was told: {answer}"
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
