"""Load an export of Segment calls into a workspace, and say what of it could not be kept as it was."""

import time
import zlib
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management import BaseCommand, CommandError

from accounts.ingest import IngestReport, ingest_calls, read_calls, shift_to_today
from accounts.sources import EXPORTS
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.models import Tenant


class Command(BaseCommand):
    help = "Load Segment calls (newline-delimited JSON, plain or gzipped). A second run changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the export; - reads standard input")
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument(
            "--shift-to-today", action="store_true", help="move all moments and dates so that the export ends today"
        )
        parser.add_argument("--now", type=_moment, metavar="ISO", help="the moment to act at (default: the database's)")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = Tenant.objects.filter(slug=options["workspace"]).first()
        if tenant is None:
            raise CommandError(f"There is no workspace “{options['workspace']}”.")
        now = options["now"] or database_now()
        started = time.monotonic()
        try:
            shift = self._shift(options, now)
            report = ingest_calls(read_calls(options["file"]), tenant=tenant, source=EXPORTS, now=now, shift=shift)
        except (OSError, EOFError, zlib.error) as error:
            known = "What was taken in before stays; a repeat is harmless."
            raise CommandError(f"{options['file']}: {error}. {known}") from error
        self._tell(report, seconds=time.monotonic() - started)

    def _shift(self, options: dict[str, Any], now: datetime) -> timedelta:
        if not options["shift_to_today"]:
            return timedelta(0)
        if options["file"] == "-":
            raise CommandError("--shift-to-today has to read the export twice: give it as a file.")
        return shift_to_today(options["file"], now=now)

    def _tell(self, report: IngestReport, *, seconds: float) -> None:
        self.stdout.write(
            f"{report.calls:,} calls in {seconds:.1f} s ({report.calls / max(seconds, 0.001):,.0f} calls/s): "
            f"{report.taken:,} taken in, {report.repeated:,} repeated, {report.refused:,} refused"
        )
        rows = [(p.outcome, f"{p.scope}.{p.key}", f"{p.count:,}", p.reason, p.sample[:60]) for p in report.problems]
        if rows:
            self.stdout.write(_table([("", "what", "count", "reason", "for example"), *sorted(rows, reverse=True)]))


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
