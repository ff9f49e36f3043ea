"""An SMTP server that delivers to nobody: every message becomes a file, which the app can show."""

import contextlib
import socket
import time
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

USUAL_PORT = 1025
KEPT = 500


class MailSink:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop(no_assert=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """A reader never meets half a message: it is written aside and renamed."""
        name = f"{time.time_ns():020}"
        recipients = ", ".join(envelope.rcpt_tos)
        draft = self.directory / f"{name}.part"
        content = envelope.original_content or b""
        draft.write_bytes(
            f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {recipients}\r\n".encode() + content
        )
        draft.rename(self.directory / f"{name}.eml")
        self._forget_old()
        return "250 Kept"

    def _forget_old(self) -> None:
        for path in sorted(self.directory.glob("*.eml"))[:-KEPT]:
            path.unlink(missing_ok=True)


def _free_port() -> int:
    for port in (USUAL_PORT, 0):
        with contextlib.suppress(OSError), socket.socket() as candidate:
            candidate.bind(("127.0.0.1", port))
            return int(candidate.getsockname()[1])
    raise OSError("No free port for the mail sink.")
