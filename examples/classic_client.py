"""The chat client of every socket tutorial: it takes turns with the other side until somebody says bye."""

import os
import socket

HOST = os.environ.get("LANDLINE_HOST", "localhost")
PORT = int(os.environ.get("LANDLINE_PORT", "12345"))


def main():
    try:
        with socket.create_connection((HOST, PORT)) as client:
            print("Connected. Type a message and press Enter; bye ends the chat.")
            while True:
                message = input("you: ")
                client.send(message.encode())
                if message.strip().lower() == "bye":
                    break
                answer = client.recv(1024).decode()
                if not answer:
                    print("The other side hung up.")
                    break
                print(answer)
    except (EOFError, KeyboardInterrupt):
        print()
    except OSError as error:
        raise SystemExit(f"No chat at {HOST} port {PORT}: {error}") from None


if __name__ == "__main__":
    main()
