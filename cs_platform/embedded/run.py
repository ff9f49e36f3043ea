"""Run a management command against servers and a fresh database of its own: `run bench evaluate`.

The servers keep what they promise (fsync on), so that figures and faults mean something.
"""

import os
import secrets
import signal
import subprocess
import sys

from .homes import first_free_home
from .postgres import DURABLE
from .processes import CannotStart
from .servers import ROOT, VAR, running
from .templates import create_fresh_database


def main(command: str, *arguments: str) -> int:
    with first_free_home(VAR / command) as home, running(home, settings=DURABLE) as servers:
        os.environ |= servers.environment(database=command) | {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DEBUG": "",
            "STATIC_FROM_SOURCE": "1",
        }
        os.environ.setdefault("LOG_LEVEL", "WARNING")
        create_fresh_database(servers, command)
        return subprocess.call([sys.executable, str(ROOT / "manage.py"), command, *arguments])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(*sys.argv[1:]))
    except CannotStart as refusal:
        sys.exit(str(refusal))
    except KeyboardInterrupt:
        sys.exit(130)
