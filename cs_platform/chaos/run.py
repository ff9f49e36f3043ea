"""One run of chaos, from an empty database to the verdict."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, connection

from cs_platform.chaos import stack
from cs_platform.chaos.history import DOUBLED, LOST, STUCK, Finding, count_letters, count_runs, findings, unfinished
from cs_platform.chaos.hooks import MoodyHooks
from cs_platform.chaos.mail import MoodyMailServer
from cs_platform.chaos.nemesis import Nemesis
from cs_platform.chaos.people import People, let_a_day_pass, mend_connectors
from cs_platform.chaos.world import Size, build, expected
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.models import Tenant

LEASE_SECONDS, PUMP_SECONDS = 10, 0.5
READY_SECONDS = 45
REST_SECONDS = 300.0  # how long everything may take to come to an end once the faults are over
STILL_SECONDS = 45.0  # several leases: where nothing has moved for so long, nothing will
A_DAY = 2.0  # of the rest


@dataclass(frozen=True, slots=True)
class Options:
    seconds: float
    seed: int
    external: bool
    size: Size


@dataclass(frozen=True, slots=True)
class Verdict:
    """`figures` is what programs read; `findings` and `facts` are for people."""

    figures: dict[str, Any]
    findings: Sequence[Finding]
    facts: Mapping[str, Counter[str]]

    @property
    def is_sound(self) -> bool:
        return not any(self.figures[kind] for kind in (LOST, DOUBLED, STUCK))


def run_chaos(options: Options, *, logs: Path, say: Callable[[str], None]) -> Verdict:
    outside = _Outside(MoodyMailServer(options.seed), MoodyHooks(options.seed))
    settings.LEASE_SECONDS = LEASE_SECONDS  # people's stops take leases too, in this process
    settings.OUTBOUND_TRUSTED = [outside.hooks.host]  # and they connect what is out there
    hooks = outside.hooks.url if options.external else ""
    tenants = build(options.size, hooks=hooks, seconds=options.seconds, now=database_now())
    with outside.misbehaving(), stack.running(outside.environment(), logs) as processes:
        done = _trouble(processes, tenants, options, say)
        outside.calm_down()
        say("the faults are over; waiting until everything has come to an end")
        say(_rest(processes, tenants))
    return _judge(tenants, outside, done, options)


@dataclass(frozen=True, slots=True)
class _Outside:
    """What the workers speak to."""

    mail: MoodyMailServer
    hooks: MoodyHooks

    def environment(self) -> dict[str, str]:
        return {
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "PUMP_SECONDS": str(PUMP_SECONDS),
            "EMAIL_URL": self.mail.url,
            "OUTBOUND_TRUSTED": self.hooks.host,
            "GOOGLE_TOKEN_URL": f"{self.hooks.url}/token",
            "GMAIL_URL": self.hooks.url,
        }

    @contextmanager
    def misbehaving(self) -> Iterator[None]:
        self.mail.start()
        self.hooks.start()
        try:
            yield
        finally:
            self.mail.stop()
            self.hooks.stop()

    def calm_down(self) -> None:
        self.mail.calm = self.hooks.calm = True


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done to the stack, and by people."""

    counts: Counter[str]
    by_hand: set[tuple[int, str]]
    letters: set[tuple[int, UUID]]


def _trouble(processes: stack.Stack, tenants: Sequence[Tenant], options: Options, say: Callable[[str], None]) -> _Done:
    ready = stack.wait_until(lambda: all(map(processes.is_ready, stack.WORKERS)), seconds=READY_SECONDS)
    say("two workers and two beats are up" if ready else "the workers are slow to start; going on")
    people = People(tenants, options.seed, options.seconds)
    nemesis = Nemesis(processes, options.seed)
    people.start()
    nemesis.strike(options.seconds)
    people.join()
    return _Done(nemesis.done + people.done, people.by_hand, people.letters)


def _rest(processes: stack.Stack, tenants: Sequence[Tenant]) -> str:
    """Days go on passing, so that later steps and further tries fall due, until nothing is left to do, or moves."""
    began = moved = time.monotonic()
    left = _left(tenants)
    while left and time.monotonic() < min(began + REST_SECONDS, moved + STILL_SECONDS):
        processes.keep_alive()
        time.sleep(A_DAY)
        left, before = _left(tenants), left
        moved = time.monotonic() if left != before else moved
    passed = f"after {time.monotonic() - began:.0f} s"
    return f"not at rest {passed}: {left:,} runs, stops and letters are left" if left else f"at rest {passed}"


def _left(tenants: Sequence[Tenant]) -> int:
    try:
        mend_connectors(tenants)
        let_a_day_pass(tenants)
        return unfinished(tenants, now=database_now())
    except Error:
        connection.close()
        return 1


def _judge(tenants: Sequence[Tenant], outside: _Outside, done: _Done, options: Options) -> Verdict:
    pairs = list(expected(options.size.accounts, external=options.external))
    wanted = [(tenant.pk, *pair) for tenant in tenants for pair in pairs]
    wanted += [(tenant_id, "renewal", account) for tenant_id, account in done.by_hand]
    taken, calls = outside.mail.taken(), outside.hooks.acted_on()
    found = findings(tenants, expected=wanted, taken=taken, calls=calls, letters=done.letters)
    states, letters = count_runs(tenants), count_letters(tenants)
    totals: Counter[str] = Counter()
    for finding in found:
        totals[finding.kind] += finding.count
    totals[DOUBLED] += done.counts["stops accepted twice"]
    figures = {
        "kills": done.counts["kills"],
        "flushes": done.counts["flushes"],
        "runs": states.total(),
        LOST: totals[LOST],
        DOUBLED: totals[DOUBLED],
        STUCK: totals[STUCK],
        "uncertain": states["uncertain"] + letters["uncertain"],
        "seed": options.seed,
    }
    facts = {
        "what went wrong, and what people did": done.counts,
        "runs": states,
        "letters by hand": letters,
        "mails": outside.mail.moods(),
    }
    if options.external:
        facts["calls, Gmail and Intercom"] = outside.hooks.moods()
    return Verdict(figures, found, facts)


def as_table(verdict: Verdict) -> str:
    lines: list[str] = []
    for title, counts in verdict.facts.items():
        lines += [title, *(f"  {name:<28}{count:>8,}" for name, count in sorted(counts.items())), ""]
    lines += [f"  {found.kind}: {found.what}: {found.count:,}" for found in verdict.findings]
    lines += [
        f"{name:<10}{value:>8,}" if name != "seed" else f"{name:<10}{value:>8}"
        for name, value in verdict.figures.items()
    ]
    return "\n".join(lines)
