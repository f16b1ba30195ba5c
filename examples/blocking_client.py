"""A program without async and await: it asks a server in threads, as many scripts, notebooks and old programs do.

    .venv/bin/python examples/blocking_client.py

It has its server with it, which is a plain function, too: it runs in a thread for each session.
"""

from concurrent.futures import ThreadPoolExecutor

from landline import sync


def count_words(session):
    for text in session:
        session.send({"text": text, "words": len(text.split())})


def main():
    with sync.serve(count_words, "tcp://localhost:0") as listening:  # 0: any free port
        address = listening.addresses[0]

        with sync.connect(address) as session:
            session.send("the line drops now, and comes back by itself")
            session.drop()
            print(session.receive(timeout=10))

            try:
                session.receive(timeout=0.1)
            except TimeoutError:
                print("nothing more, and the session is as good as before")

            sent = session.send_many("word " * count for count in range(1000))
            print(sent, "sent,", sum(session.receive()["words"] for _ in range(sent)), "words")

        def ask(text):
            with sync.connect(address) as session:
                session.send(text)
                return session.receive(timeout=10)["words"]

        with ThreadPoolExecutor(8) as threads:
            print(sum(threads.map(ask, ["one", "and two"] * 10)), "words in 20 sessions of 8 threads")


if __name__ == "__main__":
    main()
