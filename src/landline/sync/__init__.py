"""The same session for blocking code, threads and notebooks.

    import landline.sync

    with landline.sync.connect("tcp://localhost:12345") as session:
        session.send("hello")
        print(session.receive(timeout=5))

One daemon thread in each process runs the loop of all these sessions (``daemon``); a generic bridge has it run what ``landline.Session`` does
(``bridge``). So this works wherever code may wait: in scripts, in any number of threads, and beside the running loop of a notebook.
"""

from .bridge import Iteration
from .client import connect
from .files import FileOffer, Offers
from .presence import Presence
from .server import Program, serve
from .session import Receipt, Session, Stream, Subscription, blocking

__all__ = [
    "FileOffer",
    "Iteration",
    "Offers",
    "Presence",
    "Program",
    "Receipt",
    "Session",
    "Stream",
    "Subscription",
    "blocking",
    "connect",
    "serve",
]
