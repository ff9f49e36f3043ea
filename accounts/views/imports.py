"""Settings → Import: upload a file, say what its columns become, try it, run it, and take it back."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.csv_import.files import DELIMITERS, ENCODINGS, SIZE_LIMIT, CsvRefused, keep_upload, read_anew
from accounts.csv_import.mapping import NEW, NEW_TYPES, MappingFaults, guess, targets
from accounts.csv_import.running import (
    CHECK,
    RUN,
    ByImport,
    CannotImport,
    job_of,
    set_mapping,
    start_check,
    start_run,
)
from accounts.ingest.definitions import label_of
from accounts.models import CsvImport
from accounts.sources import load_problems
from cs_platform.jobs.models import JobError
from cs_platform.tenancy.roles import Ability
from cs_platform.web.jobs import shown_job
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

FOUND_OUT = ("", "Found out from the file")
SHOWN_IMPORTS = 50
SHOWN_ERRORS = 20
OPEN = (CsvImport.State.UPLOADED, CsvImport.State.CHECKED, CsvImport.State.CANCELLED)


class ReadingForm(forms.Form):
    encoding = forms.ChoiceField(choices=(FOUND_OUT, *ENCODINGS), required=False)
    delimiter = forms.ChoiceField(label="Columns are divided by", choices=(FOUND_OUT, *DELIMITERS), required=False)


class UploadForm(ReadingForm):
    scope = forms.ChoiceField(label="Rows are", choices=CsvImport.Scope.choices)
    file = forms.FileField(
        label="CSV file",
        help_text=f"Up to {SIZE_LIMIT // 1_000_000} MB, with a line of headings.",
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv", "class": "input"}),
    )
    field_order = ("scope", "file", "encoding", "delimiter")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def import_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None) if request.method == "POST" else UploadForm()
    if form.is_valid():
        try:
            return redirect("imports:detail", slug, _upload(request, form).pk)
        except CsvRefused as refusal:
            form.add_error("file", str(refusal))
    context = {"form": form, "imports": _listed()}
    return render_page(request, "accounts/imports/list.html", context, status=422 if form.is_bound else 200)


def _upload(request: WorkspaceRequest, form: UploadForm) -> CsvImport:
    given = form.cleaned_data
    return keep_upload(
        given["file"].chunks(),
        scope=given["scope"],
        file_name=given["file"].name,
        encoding=given["encoding"],
        delimiter=given["delimiter"],
        by=request.membership,
        now=request.now,
    )


def _listed() -> list[CsvImport]:
    imports = CsvImport.objects.select_related("created_by").defer("samples", "mapping")
    return list(imports.order_by("-created_at", "-pk")[:SHOWN_IMPORTS])


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def show_import(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    made = get_object_or_404(CsvImport.objects.select_related("created_by"), pk=pk)
    if request.method != "POST":
        return _shown(request, made)
    try:
        text = _act(request, made)
    except MappingFaults as wrong:
        return _shown(request, made, faults=wrong.faults)
    except (CannotImport, CsvRefused) as refusal:
        return _shown(request, made, faults={"": str(refusal)})
    messages.success(request, text)
    return redirect("imports:detail", slug, pk)


def _act(request: WorkspaceRequest, made: CsvImport) -> str:
    step = request.POST.get("step", "")
    if step == "read":
        return _read_anew(request, made)
    if step == "run":
        start_run(made, by=request.membership, now=request.now)
        return "The import has begun"
    columns = {str(at): request.POST.get(f"to-{at}", "") for at in range(len(made.header))}
    set_mapping(made, columns, clear_empty="clear_empty" in request.POST)
    start_check(made, by=request.membership, now=request.now)
    return "The dry run has begun: nothing is written"


def _read_anew(request: WorkspaceRequest, made: CsvImport) -> str:
    form = ReadingForm(request.POST)
    if made.state not in OPEN:
        raise CannotImport("This import has run. Upload the file again to read it differently.")
    if not form.is_valid():
        raise CannotImport("Choose an encoding and a delimiter of the list.")
    made.state = CsvImport.State.UPLOADED
    read_anew(made, **form.cleaned_data)
    return "The file was read anew"


def _shown(request: WorkspaceRequest, made: CsvImport, *, faults: dict[str, str] | None = None) -> HttpResponse:
    check, run = job_of(made, CHECK), job_of(made, RUN)
    job = run if run and (check is None or run.pk > check.pk) else check
    busy = job is not None and not job.is_over
    context = {
        "made": made,
        "faults": faults or {},
        "columns": _columns(request, made, faults or {}) if made.state in OPEN and not busy else [],
        "reading": ReadingForm(initial={"encoding": made.encoding, "delimiter": made.delimiter}),
        "clear_empty": made.mapping.get("clear_empty", False),
        "current": shown_job(request, job) if job else None,
        "busy": busy,
        "checked": made.state == CsvImport.State.CHECKED and not busy,
        "errors": list(JobError.objects.filter(job=job).order_by("position", "pk")[:SHOWN_ERRORS]) if job else [],
        "problems": load_problems(ByImport(made).actor),
        "here": reverse("imports:detail", args=[request.tenant.slug, made.pk]),
    }
    places = {"import": "accounts/imports/_import.html"}
    return render_page(
        request, "accounts/imports/detail.html", context, fragments=places, status=422 if faults else 200
    )


def _columns(request: WorkspaceRequest, made: CsvImport, faults: dict[str, str]) -> list[dict[str, Any]]:
    """What stands in the form of the mapping: what was sent, else what is kept, else a guess."""
    kept = made.mapping.get("columns") or guess(made)
    sent = request.POST if request.method == "POST" else {}
    offered = _grouped(made.scope)
    return [
        {
            "at": at,
            "heading": heading or f"Column {at + 1}",
            "samples": [row[at] for row in made.samples[:3] if at < len(row) and row[at]],
            "to": sent.get(f"to-{at}", kept.get(str(at), "")),
            "offered": offered,
            "new": _new_traits(heading or f"Column {at + 1}"),
            "fault": faults.get(str(at), ""),
        }
        for at, heading in enumerate(made.header)
    ]


def _grouped(scope: str) -> list[tuple[str, list[tuple[str, str]]]]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for one in targets(scope):
        groups.setdefault(one.group, []).append((one.key, one.label))
    return list(groups.items())


def _new_traits(heading: str) -> list[tuple[str, str]]:
    label = label_of(heading)
    return [(f"{NEW}{type}:{label}", f"{label} ({words.lower()})") for type, words in NEW_TYPES]
