"""The file a job made, part by part: it may be larger than memory."""

from collections.abc import Iterator
from datetime import datetime

from django.http import StreamingHttpResponse

from cs_platform.jobs.kinds import kind_of
from cs_platform.jobs.models import Job, JobFile
from cs_platform.jobs.starting import KEEP_FILES
from cs_platform.tenancy.context import current_tenant_id, tenant_context


def has_file(job: Job, *, now: datetime) -> bool:
    return (
        job.state == Job.State.DONE
        and job.finished_at is not None
        and now - job.finished_at <= KEEP_FILES
        and JobFile.objects.filter(job=job).exists()
    )


def download(job: Job) -> StreamingHttpResponse:
    kind = kind_of(job)
    response = StreamingHttpResponse(_stream(job, current_tenant_id()), content_type=kind.file_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{kind.file_name(job)}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _stream(job: Job, tenant_id: int) -> Iterator[bytes]:
    """Runs after the response was given away and its transaction has ended: each part is read in one of its own."""
    position = 0
    while (content := _part(job, position, tenant_id)) is not None:
        yield content
        position += 1


def _part(job: Job, position: int, tenant_id: int) -> bytes | None:
    with tenant_context(tenant_id):
        found = JobFile.objects.filter(job=job, position=position).values_list("content", flat=True).first()
    return None if found is None else bytes(found)
