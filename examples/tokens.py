"""Signed tokens that run out: a client fetches a new one in time by itself, over the live session, until the server takes its access back.

    .venv/bin/python examples/tokens.py

The tokens are made with the standard library here; those of your single sign-on are checked by the same two functions.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time

import landline

KEY = secrets.token_bytes(32)
LIFETIME = 3.0
"""Seconds; some minutes would be usual."""

banned: set[str] = set()


def make_token(name: str) -> str:
    """Return a token for this name. In your world somebody else makes them, and knows a password."""
    claims = base64.urlsafe_b64encode(json.dumps({"sub": name, "exp": time.time() + LIFETIME}).encode())
    return f"{claims.decode()}.{sign(claims)}"


def sign(claims: bytes) -> str:
    """Return the signature."""
    return hmac.new(KEY, claims, hashlib.sha256).hexdigest()


def authenticate(token: object) -> landline.Grant:
    """Say who shows this token, and until when; asked at every dial, and for every token that is shown meanwhile."""
    claims, _, signature = str(token).partition(".")
    if not hmac.compare_digest(signature, sign(claims.encode())):
        raise landline.NotAllowed("that is no token of ours")
    told = json.loads(base64.urlsafe_b64decode(claims))
    if told["sub"] in banned:
        raise landline.NotAllowed("you are not welcome any more")
    return landline.Grant(told["sub"], expires_in=told["exp"] - time.time())


async def main() -> None:
    """Serve, connect, stay for longer than a token is good, and be sent away."""
    server = landline.Server(authenticate=authenticate)
    server.topic("news")
    fetched = asyncio.Semaphore(0)

    async def fetch_token() -> str:
        fetched.release()
        return make_token("ana")

    @server.on_open
    def opened(session: landline.Session) -> None:
        print(f"{session.principal} came")

    @server.on_close
    def closed(session: landline.Session, why: landline.SessionEnded) -> None:
        print(f"{session.principal} went: {why}")

    async with server.listen("tcp://localhost:0") as listening:
        try:
            await landline.connect(listening.addresses[0], credentials="please")
        except landline.Refused as error:
            print(error)

        async with landline.connect(listening.addresses[0], credentials=fetch_token) as session:
            for _ in range(3):  # the first at the dial, the others in time
                await fetched.acquire()
            await session.refresh()
            await session.publish("news", "still here")
            print(f"after three tokens: {session.state.value}")

            banned.add("ana")
            print(f"revoked: {server.revoke('ana', 'you were rude')}")
            try:
                await session.receive()
            except landline.SessionLost as error:
                print(f"told: {error.reason}")


if __name__ == "__main__":
    asyncio.run(main())
