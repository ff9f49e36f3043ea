from typing import Any

from cs_platform.jobs import starting
from cs_platform.jobs.models import Job
from cs_platform.jobs.pump import run_jobs
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace


def job(home: Workspace, kind: str = "counting", **params: Any) -> Job:
    now = starting_now()
    by = home.maya if kind == "writing" else home.priya
    return starting.start_job(kind, title=f"{kind} job", params={"to": 25} | params, by=by, now=now)


def starting_now() -> Any:
    from cs_platform.tenancy.clock import database_now

    return database_now()


def test_the_list_shows_what_runs_and_asks_again(priya: Visitor, inside: Workspace) -> None:
    job(inside)
    shown = text(priya.page("jobs/"))

    assert "counting job" in shown
    assert "every " in shown
    run_jobs()
    shown = text(priya.fragment("jobs/", "jobs"))
    assert "25 done" in shown
    assert "every " not in shown


def test_the_page_of_a_job_lists_what_went_wrong(priya: Visitor, inside: Workspace) -> None:
    one = job(inside, bad=[3, 4])
    run_jobs()
    whole, part = priya.page(f"jobs/{one.pk}/"), priya.fragment(f"jobs/{one.pk}/", "job")

    assert [is_whole(whole), is_whole(part)] == [True, False]
    assert text(whole).count("Not a good number") == 2
    assert "23 done, 2 not" in text(part)


def test_errors_come_a_page_at_a_time(priya: Visitor, inside: Workspace) -> None:
    one = job(inside, to=80, bad=list(range(1, 61)))
    run_jobs()
    first = text(priya.page(f"jobs/{one.pk}/"))
    after = first.split("?after=")[1].split('"')[0]

    assert first.count("Not a good number") == 50
    assert text(priya.page(f"jobs/{one.pk}/?after={after}")).count("Not a good number") == 10


def test_the_strip_asks_until_the_job_is_over_and_then_lets_the_page_show_it(priya: Visitor, inside: Workspace) -> None:
    one = job(inside)
    running = priya.fragment(f"jobs/{one.pk}/strip/", "job-strip")
    run_jobs()
    over = priya.fragment(f"jobs/{one.pk}/strip/", "job-strip")

    assert "every " in text(running)
    assert "HX-Trigger" not in running
    assert "every " not in text(over)
    assert "account:changed" in over["HX-Trigger"]


def test_cancel_and_undo_work_without_scripts(priya: Visitor, inside: Workspace) -> None:
    one, other = job(inside), job(inside)
    assert priya.submit(f"jobs/{one.pk}/cancel/").status_code == 302
    run_jobs()
    undone = priya.submit(f"jobs/{other.pk}/undo/")
    run_jobs()

    assert Job.objects.get(pk=one.pk).state == "cancelled"
    page = text(priya.client.get(undone["Location"]))
    assert "24 taken back, 1 kept" in page
    assert "Somebody needs it." in page
    assert "This was taken back" in text(priya.page(f"jobs/{other.pk}/"))


def test_an_undo_by_htmx_shows_its_strip(priya: Visitor, inside: Workspace) -> None:
    one = job(inside)
    run_jobs()

    assert "job:started" in priya.send(f"jobs/{one.pk}/undo/")["HX-Trigger"]


def test_it_takes_what_the_job_itself_took_to_change_it(priya: Visitor, inside: Workspace) -> None:
    one, omar = job(inside), Visitor(inside.omar)
    lead = job(inside, "writing")

    assert omar.page(f"jobs/{one.pk}/").status_code == 200
    assert omar.submit(f"jobs/{one.pk}/cancel/").status_code == 403
    assert priya.submit(f"jobs/{lead.pk}/cancel/").status_code == 403
    assert Visitor(inside.tom).submit(f"jobs/{one.pk}/cancel/").status_code == 302


def test_a_file_comes_whole_to_whom_it_belongs(maya: Visitor, priya: Visitor, inside: Workspace) -> None:
    one = job(inside, "writing")
    assert maya.page(f"jobs/{one.pk}/file/").status_code == 404
    run_jobs()
    response = maya.page(f"jobs/{one.pk}/file/")

    assert b"".join(response.streaming_content) == b"part 0\r\npart 1\r\npart 2\r\npart 3\r\n"  # type: ignore[attr-defined]
    assert response["Content-Disposition"].startswith("attachment")
    assert priya.page(f"jobs/{one.pk}/file/").status_code == 403


def test_another_workspaces_job_is_not_there(priya: Visitor, halyard: Workspace) -> None:
    assert priya.page("jobs/999999/").status_code == 404
