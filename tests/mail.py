"""A local SMTP server that stores the messages it receives and rejects chosen recipients."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._reply(220, "ready")
        while line := self.rfile.readline():
            command, _, rest = line.decode().strip().partition(" ")
            if command.upper() == "QUIT":
                self._reply(221, "bye")
                return
            if command.upper() == "RCPT":
                recipient = rest.partition("<")[2].partition(">")[0]
                self._reply(self.server.rejected.get(recipient, 250), f"<{recipient}>")
            elif command.upper() == "DATA":
                self._reply(354, "send the message")
                self._receive()
            else:
                self._reply(250, "OK")

    def _reply(self, code: int, text: str) -> None:
        self.wfile.write(f"{code} {text}\r\n".encode())

    def _receive(self) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.server.messages.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self._reply(250, "OK")


class MailServer(socketserver.ThreadingTCPServer):
    """SMTP server on a free port of the loopback interface.

    Attributes
    ----------
    rejected
        SMTP code of the rejection by recipient.
    messages
        Messages received.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.rejected: dict[str, int] = {}
        self.messages: list[EmailMessage] = []

    @property
    def port(self) -> int:
        return self.server_address[1]


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
