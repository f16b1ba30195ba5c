"""The chat server of every socket tutorial: it takes one client and answers with what is typed here."""

import errno
import os
import socket

HOST = os.environ.get("LANDLINE_HOST", "localhost")
PORT = int(os.environ.get("LANDLINE_PORT", "12345"))


def main():
    try:
        with socket.create_server((HOST, PORT), backlog=1) as server:
            print(f"Waiting at {HOST} port {server.getsockname()[1]}.", flush=True)
            client, address = server.accept()
            with client:
                print(f"{address[0]} is connected.", flush=True)
                while True:
                    message = client.recv(1024).decode()
                    if not message or message.strip().lower() == "bye":
                        print("The other side said goodbye.")
                        break
                    print(message, flush=True)
                    client.send(input("you: ").encode())
    except (EOFError, KeyboardInterrupt):
        print()
    except UnicodeDecodeError:
        raise SystemExit("The other side sent what is not text: it expects another kind of server.") from None
    except ConnectionError as error:
        raise SystemExit(f"The line to the other side broke: {error}") from None
    except OSError as error:
        why = "the port is taken" if error.errno == errno.EADDRINUSE else error
        raise SystemExit(f"The server cannot wait at {HOST} port {PORT}: {why}.") from None


if __name__ == "__main__":
    main()
