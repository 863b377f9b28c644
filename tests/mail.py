"""A mail server on this machine that keeps what it is given, and refuses whom it is told to."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._say(220, "ready")
        while line := self.rfile.readline():
            command, _, rest = line.decode().strip().partition(" ")
            if command.upper() == "QUIT":
                self._say(221, "bye")
                return
            if command.upper() == "RCPT":
                address = rest.partition("<")[2].partition(">")[0]
                self._say(self.server.refused.get(address, 250), f"<{address}>")
            elif command.upper() == "DATA":
                self._say(354, "go on")
                self._keep()
            else:
                self._say(250, "fine")

    def _say(self, code: int, text: str) -> None:
        self.wfile.write(f"{code} {text}\r\n".encode())

    def _keep(self) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.server.kept.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self._say(250, "kept")


class MailServer(socketserver.ThreadingTCPServer):
    """Answers on a free port of the loopback.

    Attributes
    ----------
    refused : dict
        By address, the code to refuse it with.
    kept : list of EmailMessage
        What was sent.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.refused: dict[str, int] = {}
        self.kept: list[EmailMessage] = []

    @property
    def port(self) -> int:
        return self.server_address[1]


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server meanwhile."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
