"""Measure the engine against what it is compared with (docs/benchmarks.md). Fills the database it is given."""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.core.management import BaseCommand, CommandError

from cs_platform.bench.api import api
from cs_platform.bench.apply import apply
from cs_platform.bench.cockpit import cockpit
from cs_platform.bench.evaluate import evaluate
from cs_platform.bench.ingest import ingest
from cs_platform.bench.measure import circumstances
from cs_platform.bench.preview import preview
from cs_platform.bench.profiles import PROFILES
from cs_platform.bench.report import Report
from cs_platform.bench.scale import scale
from cs_platform.bench.stop import stop
from cs_platform.bench.table import table
from cs_platform.common.garbage import settle_in
from cs_platform.tenancy.models import Tenant


def _evaluate(options: dict[str, Any]) -> Report:
    profile = PROFILES[options["profile"]]
    return evaluate(replace(profile, accounts=options["accounts"] or profile.accounts))


OF_ACCOUNTS = "evaluate: of all workspaces together; preview, table, api: of one; scale: of the largest"
BENCHES: dict[str, Callable[[dict[str, Any]], Report]] = {
    "evaluate": _evaluate,
    "preview": lambda options: preview(options["accounts"] or PROFILES[options["profile"]].accounts),
    "apply": lambda options: apply(options["runs"]),
    "stop": lambda options: stop(options["enrollments"]),
    "cockpit": lambda options: cockpit(options["ctas"]),
    "ingest": lambda options: ingest(options["calls"], options["megabytes"]),
    "table": lambda options: table(options["accounts"] or PROFILES[options["profile"]].accounts),
    "api": lambda options: api(options["accounts"] or PROFILES[options["profile"]].accounts),
    "scale": lambda options: scale(options["accounts"] or PROFILES["M"].accounts),
}


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=BENCHES)
        parser.add_argument("--accounts", type=int, help=OF_ACCOUNTS)
        parser.add_argument(
            "--profile",
            choices=PROFILES,
            default="S",
            help="evaluate, preview, table, api: S is 100,000, M a million",
        )
        parser.add_argument("--runs", type=int, default=10_000, help="apply: a multiple of five")
        parser.add_argument("--enrollments", type=int, default=10_000, help="stop: of five actions each")
        parser.add_argument("--ctas", type=int, default=1_000_000, help="cockpit: of four tasks each")
        parser.add_argument("--calls", type=int, default=50_000, help="ingest: sent over HTTP, in batches of 100")
        parser.add_argument("--megabytes", type=int, default=1_000, help="ingest: of the export that is loaded")
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        if Tenant.objects.exists():
            raise CommandError("This database is in use. A measurement needs an empty one, as bin/bench makes it.")
        self.stdout.write(circumstances())
        settle_in()  # as web and worker do
        report = BENCHES[options["name"]](options)
        self.stdout.write(f"{report.as_table()}\n\n{circumstances()}")
        if options["json"]:
            self.stdout.write(report.as_json())
        if not report.is_sound:
            raise CommandError("The results differ from those of the oracle, so the figures mean nothing.")
