"""Make .venv and install one set of pinned requirements into it; does nothing when that was done before.

Runs on the machine's own Python with nothing installed.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
WIDER = {"embedded": ("embedded", "dev"), "dev": ("dev",)}  # what also serves where the set is asked for
UV = HERE / "uv.txt"


class CannotInstall(Exception):
    """The text is the one sentence a person reads."""


def main(wanted: str) -> None:
    (ROOT / "var").mkdir(exist_ok=True)
    with open(ROOT / "var" / "install.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(is_installed(name) for name in WIDER[wanted]):
            install(wanted)


def is_installed(name: str) -> bool:
    stamp = VENV / f"installed-{name}"
    return stamp.exists() and stamp.read_text() == fingerprint(name)


def fingerprint(name: str) -> str:
    return hashlib.sha256((HERE / f"{name}.txt").read_bytes() + UV.read_bytes()).hexdigest()


def install(name: str) -> None:
    if not works():
        print("Making .venv ...", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(VENV)], "Python's venv module is missing: apt-get install python3-venv.")
    print(f"Installing requirements/{name}.txt ...", flush=True)
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes", "-r"]
    with_uv = [str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes"]
    with_uv += ["--system-certs", "-r"]  # what this machine trusts, such as its company's proxy
    target = str(HERE / f"{name}.txt")
    # uv does not know pip's own mirrors; where it fails, pip may still succeed.
    if succeeds([*pip, str(UV)]) and succeeds([*with_uv, target]):
        finish(name)
        return
    print("uv could not install; trying pip, which takes longer ...", flush=True)
    run([*pip, target], "The packages could not be installed; the lines above say why (no network, or a full disk?).")
    finish(name)


def works() -> bool:
    return PYTHON.exists() and succeeds([str(PYTHON), "-c", "import pip"])


def finish(name: str) -> None:
    """The checkout goes on the path, so that tools of .venv/bin find its packages from any directory."""
    site = next((VENV / "lib").glob("python3*/site-packages"))
    (site / "cs-platform-checkout.pth").write_text(f"{ROOT}\n")
    (VENV / f"installed-{name}").write_text(fingerprint(name))


def succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command).returncode == 0


def run(command: Sequence[str], otherwise: str) -> None:
    if not succeeds(command):
        raise CannotInstall(otherwise)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except CannotInstall as refusal:
        sys.exit(str(refusal))
    except OSError as error:
        sys.exit(f"The packages could not be installed: {error}.")
    except KeyboardInterrupt:
        sys.exit(130)
