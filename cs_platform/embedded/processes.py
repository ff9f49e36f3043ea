"""Child processes that never outlive the process that started them."""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO

PR_SET_PDEATHSIG = 1


class CannotStart(Exception):
    """Something outside the program is in the way; the text is the one sentence a person reads."""


def spawn(
    command: Sequence[object],
    *,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    account: pwd.struct_passwd | None = None,
    orphan_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session: Ctrl-C reaches only us, and we decide the order in which parts end."""
    return subprocess.Popen(
        [str(part) for part in command],
        env=env,
        cwd="/" if account else None,  # ours may be closed to that account
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        start_new_session=True,
        preexec_fn=_signal_when_parent_dies(orphan_signal),
    )


def end(process: subprocess.Popen[bytes], *, by: signal.Signals = signal.SIGTERM, seconds: float = 10) -> None:
    """Ask politely, then insist; harmless for a process that is gone."""
    if process.poll() is not None:
        return
    process.send_signal(by)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _signal_when_parent_dies(number: signal.Signals) -> Callable[[], None] | None:
    """Linux tells a child when its parent was killed; elsewhere the next start clears up instead."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
