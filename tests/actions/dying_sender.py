"""A worker that is killed with a person's message marked as being sent: before its call, or once the server said yes.

A process of its own: nothing of Django is imported before it is set up.
"""

import os
import signal
import sys
from typing import Any


def main(now: str, when: str) -> None:
    import django

    django.setup()
    from datetime import datetime

    from actions.by_people import send_by_people
    from actions.letters import send
    from cs_platform.connectors.smtp import SmtpTransport
    from cs_platform.tenancy.models import Tenant

    def dying(payload: Any) -> Any:
        if when == "after":
            send(payload, by=SmtpTransport())
        os.kill(os.getpid(), signal.SIGKILL)

    send_by_people(Tenant.objects.get(slug="orbiton"), now=datetime.fromisoformat(now), deliver=dying)


if __name__ == "__main__":
    main(*sys.argv[1:])
