"""Jobs and imports as those who act: in the name of whoever started them."""

from collections.abc import Collection, Mapping

from accounts.actors import Actor, ids_after
from accounts.bulk.kind import BULK_EDIT
from accounts.models import CsvImport
from cs_platform.jobs.models import Job


class JobActors:
    def actors(self, wanted: Collection[str]) -> Mapping[str, Actor]:
        ids = ids_after("job:", wanted)
        jobs = Job.objects.filter(pk__in=ids).select_related("member", "undo_of") if ids else ()
        return {f"job:{job.pk}": Actor(_name(job), "list-checks") for job in jobs} | _imports(wanted)


def _imports(wanted: Collection[str]) -> dict[str, Actor]:
    ids = ids_after("import:", wanted)
    files = CsvImport.objects.filter(pk__in=ids).values_list("pk", "file_name") if ids else ()
    return {f"import:{pk}": Actor(f"the import of {name}", "inbox") for pk, name in files}


def _name(job: Job) -> str:
    who = job.member.name if job.member else "the API"
    what = "a bulk edit" if (job.undo_of or job).kind.startswith(BULK_EDIT) else "an import"
    return f"{who}, undoing {what}" if job.undo_of_id else f"{who}, in {what}"
