import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Account, CsvImport
from cs_platform.jobs.models import Job
from cs_platform.jobs.pump import run_jobs
from tests.visitor import Visitor, text
from tests.world import Workspace, account

from .files import upload

FILE = b"id,Company,Seats\nacme,Acme,12\nbolt,Bolt,many\n"


@pytest.fixture
def maya(inside: Workspace) -> Visitor:
    return Visitor(inside.maya)


def send(who: Visitor, content: bytes, name: str = "accounts.csv") -> str:
    file = SimpleUploadedFile(name, content, "text/csv")
    response = who.submit("imports/", scope="account", file=file)
    return response.headers.get("Location", text(response))


def test_the_way_from_the_file_to_the_accounts_and_back(maya: Visitor) -> None:
    address = send(maya, FILE)
    page = address.removeprefix("/w/orbiton/")
    mapping = text(maya.page(page))
    assert "acme · bolt" in mapping
    assert '<option value="external_id" selected>' in mapping
    form = {"to-0": "external_id", "to-1": "fact:name", "to-2": "new:number:Seats", "step": "check"}
    assert maya.submit(page, **form).status_code == 302
    assert "Trying every row" in text(maya.page(page))
    run_jobs()
    tried = text(maya.fragment(page, "import"))
    assert "would come to: 1 new, 1 refused" in tried
    assert "Seats: not a number" in tried
    assert maya.submit(page, step="run").status_code == 302
    run_jobs()
    assert "Undo the import" in text(maya.page(page))
    assert "accounts/?status=any&amp;sort=-created_at" in text(maya.page(page))
    job = Job.objects.get(kind="run_import")
    maya.submit(f"jobs/{job.pk}/undo/")
    run_jobs()

    assert [one.archived_at is None for one in Account.objects.all()] == [False]
    assert "see what was restored" in text(maya.page(page))
    assert "Undone" in text(maya.page("imports/"))


def test_a_refused_file_says_why_beside_the_field(maya: Visitor) -> None:
    said = send(maya, b"PK\x03\x04" + b"x" * 50)

    assert "This is a zip or an Excel file" in said
    assert not CsvImport.objects.exists()


def test_a_mapping_with_a_fault_comes_back_as_it_was_sent(maya: Visitor, inside: Workspace) -> None:
    made = upload(inside, FILE)
    answer = maya.submit(
        f"imports/{made.pk}/", **{"to-0": "", "to-1": "fact:name", "to-2": "fact:name", "step": "check"}
    )

    assert answer.status_code == 422
    assert "Choose the column with the external id" in text(answer)
    assert "Another column becomes the same" in text(answer)


def test_a_file_that_reads_wrong_is_read_anew(maya: Visitor, inside: Workspace) -> None:
    made = upload(inside, "id;name,first\n1;Åse,A\n".encode("mac-roman"), delimiter=",", encoding="cp1252")
    maya.submit(f"imports/{made.pk}/", step="read", encoding="mac-roman", delimiter=";")
    made.refresh_from_db()

    assert (made.header, made.samples) == (["id", "name,first"], [["1", "Åse,A"]])


def test_what_has_run_is_not_run_again(maya: Visitor, inside: Workspace) -> None:
    made = upload(inside, FILE)
    page = f"imports/{made.pk}/"
    maya.submit(page, **{"to-0": "external_id", "to-1": "fact:name", "step": "check"})
    run_jobs()
    maya.submit(page, step="run")
    run_jobs()
    answer = maya.submit(page, step="run")

    assert answer.status_code == 422
    assert "has run already" in text(answer)


def test_it_takes_the_ability_to_manage_data(priya: Visitor, inside: Workspace) -> None:
    account("A")

    assert priya.page("imports/").status_code == 403
    assert priya.page(f"imports/{upload(inside, FILE).pk}/").status_code == 403
