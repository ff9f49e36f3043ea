"""Jobs as those who act: in the name of whoever started them."""

from collections.abc import Collection, Mapping

from accounts.actors import Actor, ids_after
from cs_platform.jobs.models import Job


class JobActors:
    def actors(self, wanted: Collection[str]) -> Mapping[str, Actor]:
        ids = ids_after("job:", wanted)
        jobs = Job.objects.filter(pk__in=ids).select_related("member") if ids else ()
        return {f"job:{job.pk}": Actor(_name(job), "list-checks") for job in jobs}


def _name(job: Job) -> str:
    who = job.member.name if job.member else "the API"
    return f"{who}, undoing a bulk edit" if job.undo_of_id else f"{who}, in a bulk edit"
