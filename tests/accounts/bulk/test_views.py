from typing import Any

import pytest

from accounts.models import Account
from cs_platform.jobs.models import Job
from cs_platform.jobs.pump import run_jobs
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace, account, trait


def test_the_dialog_offers_what_can_be_done_with_the_selected(priya: Visitor) -> None:
    one, two = account("Harbourline"), account("Halden")
    answer = priya.send("accounts/bulk/", target="dialog", ids=f"{one.pk},{two.pk}")

    assert answer.status_code == 200
    assert not is_whole(answer)
    assert "Edit 2 accounts" in text(answer)
    assert "Harbourline, Halden" in text(answer)
    assert "Assign" in text(answer)


def test_choosing_a_trait_shows_a_field_of_its_type(priya: Visitor) -> None:
    trait("stage")
    trait("live", "boolean")
    known: dict[str, Any] = {"ids": account("A").pk, "verb": "set_trait"}

    assert 'type="text" name="bulk-value"' in text(priya.send("accounts/bulk/", **known, **{"bulk-trait": "stage"}))
    assert '<option value="true">Yes</option>' in text(priya.send("accounts/bulk/", **known, **{"bulk-trait": "live"}))


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("set_trait", "No trait of accounts is edited here yet. Define one in Settings, Traits."),
        ("add_to_segment", "There is no segment of accounts yet. Create one under Segments."),
        ("apply_playbook", "No playbook for accounts is live. Set one live under Playbooks."),
    ],
)
def test_where_there_is_nothing_to_choose_the_form_says_how_there_comes_to_be(
    priya: Visitor, verb: str, said: str
) -> None:
    known = {"ids": account("A").pk, "verb": verb}

    assert said in text(priya.send("accounts/bulk/", target="dialog", **known))


def test_the_review_says_it_in_words_and_running_starts_a_job(priya: Visitor, inside: Workspace) -> None:
    account("Harbourline"), account("Halden")
    form = {"verb": "assign", "bulk-role": "csm", "bulk-member": inside.tom.pk}
    chosen = {"all": "1", "q": "h"}
    review = priya.send("accounts/bulk/?status=subscribed", target="dialog", step="review", **form, **chosen)
    assert "Make Tom Lindqvist the CSM on 2 accounts?" in text(review)
    started = priya.send("accounts/bulk/", target="dialog", step="run", all="1", query="status=subscribed&q=h", **form)

    assert "job:started" in started["HX-Trigger"]
    run_jobs()
    assert Account.objects.filter(csm=inside.tom).count() == 2
    assert Job.objects.get().params["selection"] == {"query": "status=subscribed&q=h"}


def test_without_scripts_it_leads_to_the_page_of_the_job(priya: Visitor, inside: Workspace) -> None:
    form = {"ids": account("A").pk, "verb": "assign", "bulk-role": "ae", "bulk-member": "", "step": "run"}

    assert priya.submit("accounts/bulk/", **form)["Location"] == f"/w/orbiton/jobs/{Job.objects.get().pk}/"


def test_a_wrong_value_comes_back_with_what_to_do(priya: Visitor) -> None:
    trait("seats", "number")
    answer = priya.send(
        "accounts/bulk/",
        target="dialog",
        ids=account("A").pk,
        verb="set_trait",
        step="review",
        **{"bulk-trait": "seats", "bulk-value": "many"},
    )

    assert answer.status_code == 422
    assert "“many” is not a number." in text(answer)


def test_a_selection_that_is_none_is_refused_in_words(priya: Visitor) -> None:
    for ids in ("", "x", "9" * 30, "999999", ",".join(map(str, range(1, 1_003)))):
        answer = priya.send("accounts/bulk/", target="dialog", ids=ids)
        assert answer.status_code == 422, ids
        assert "cannot be edited together" in text(answer)
    assert priya.send("accounts/bulk/", target="dialog", all="1", csm="88888").status_code == 422


def test_an_observer_may_not(inside: Workspace) -> None:
    assert Visitor(inside.omar).page("accounts/bulk/").status_code == 403
