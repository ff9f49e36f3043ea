"""The mail that went nowhere: what the local SMTP sink of bin/dev has kept, for people to read in the app."""

import re
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

SHOWN = 100
NAME = re.compile(r"^\d{20}$")


@require_safe
def messages(request: HttpRequest) -> HttpResponse:
    names = _names()
    shown = [_read_head(name) for name in names[:SHOWN]]
    return render(request, "dashboard/mail_sink.html", {"mails": shown, "total": len(names)})


@require_safe
def message(request: HttpRequest, name: str) -> HttpResponse:
    if not NAME.match(name) or name not in _names():
        raise Http404("No such message.")
    return render(request, "dashboard/mail_sink_message.html", {"mail": _read_whole(name)})


def _directory() -> Path:
    """Only a demo shows mail to whoever asks; elsewhere there is no such page."""
    if not (settings.DEMO and settings.MAIL_SINK_DIR):
        raise Http404("No mail is kept here.")
    return Path(settings.MAIL_SINK_DIR)


def _names() -> list[str]:
    """Newest first: a name is the moment of arrival in nanoseconds."""
    return sorted((path.stem for path in _directory().glob("*.eml")), reverse=True)


def _read_head(name: str) -> dict[str, object]:
    content = (_directory() / f"{name}.eml").read_bytes()
    return _describe(name, BytesHeaderParser(policy=policy.default).parsebytes(content))


def _read_whole(name: str) -> dict[str, object]:
    content = (_directory() / f"{name}.eml").read_bytes()
    mail = BytesParser(policy=policy.default).parsebytes(content)
    return _describe(name, mail) | {"text": _part(mail, "plain"), "html": _part(mail, "html")}


def _describe(name: str, mail: EmailMessage) -> dict[str, object]:
    return {
        "name": name,
        "subject": mail["Subject"] or "(no subject)",
        "sender": mail["From"],
        "recipients": mail["X-Envelope-To"] or mail["To"],
        "arrived_at": datetime.fromtimestamp(int(name) / 1e9, UTC),
    }


def _part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    return str(found.get_content()) if found else ""
