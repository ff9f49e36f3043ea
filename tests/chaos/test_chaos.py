"""bin/chaos itself, for a few seconds: real servers, real workers, real kills."""

import json
import subprocess
import sys

import pytest

from cs_platform.embedded.servers import ROOT


@pytest.mark.walk
@pytest.mark.timeout(280)
def test_a_short_run_loses_nothing_and_doubles_nothing() -> None:
    command = [sys.executable, "-m", "cs_platform.embedded.run", "chaos", "--external", "--seconds=6"]

    done = subprocess.run(
        [*command, "--accounts=14", "--seed=7", "--json"], cwd=ROOT, capture_output=True, text=True, timeout=260
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == {"kills", "flushes", "runs", "lost", "doubled", "stuck", "uncertain", "seed"}
    assert (found["lost"], found["doubled"], found["stuck"], found["seed"]) == (0, 0, 0, 7)
    assert found["kills"] > 0
    assert found["runs"] > 500
