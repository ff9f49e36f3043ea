from accounts.ingest.files import by_day, read_calls, shift_to_today
from accounts.ingest.run import IngestReport, ingest_calls

__all__ = ["IngestReport", "by_day", "ingest_calls", "read_calls", "shift_to_today"]
