"""Why do I have this? The drawer of a CTA names the playbook that opened it, and leads to its history and its stop."""

from ctas.models import Cta
from ctas.opening import open_cta
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, apply_now, evaluate, live, playbook_json, tick

OPEN_CTA = {
    "key": "cta",
    "day": 1,
    "action": "create_cta",
    "config": {"name": "Call them", "type": "risk", "owner": "csm", "tasks": [{"title": "Dial"}]},
}


def test_a_cta_of_a_playbook_says_which_and_leads_to_its_history(inside: Workspace) -> None:
    at = account("Harbourline", csm=inside.priya)
    enrollment = apply_now(live(playbook_json("rescue", steps=[OPEN_CTA])), at, now=MONDAY)
    shown = text(Visitor(inside.priya).fragment(f"ctas/{Cta.objects.get().pk}/", "drawer"))

    assert "Rescue</b>" in shown
    assert "day 1 opened this" in shown
    assert f"history={enrollment.pk}" in shown
    assert "whatever its rules say" in shown


def test_a_cta_of_a_playbook_that_rules_applied_says_what_matched(inside: Workspace) -> None:
    account("Harbourline", csm=inside.priya, plan="Pro")
    live(playbook_json("rescue", steps=[OPEN_CTA]))
    evaluate(inside.tenant, now=MONDAY)
    tick(now=MONDAY)

    shown = text(Visitor(inside.priya).fragment(f"ctas/{Cta.objects.get().pk}/", "drawer"))
    assert "It matched: " in shown
    assert "Pro" in shown.split("It matched: ")[1][:60]


def test_the_history_of_what_opened_a_cta_leads_back_to_the_cta(inside: Workspace) -> None:
    at, priya = account("Harbourline", csm=inside.priya), Visitor(inside.priya)
    enrollment = apply_now(live(playbook_json("rescue", steps=[OPEN_CTA])), at, now=MONDAY)
    cta = Cta.objects.get()
    both = f"/w/orbiton/ctas/?tab=team&amp;history={enrollment.pk}&amp;cta={cta.pk}"
    shown = text(priya.fragment(f"ctas/?tab=team&cta={cta.pk}", "drawer"))
    history = text(priya.fragment(f"ctas/?tab=team&history={enrollment.pk}&cta={cta.pk}", "drawer"))

    assert f'href="{both}" hx-get="{both}" hx-target="#drawer"' in shown
    assert 'aria-label="Back to the CTA"' in history
    assert f'href="/w/orbiton/ctas/?tab=team&amp;cta={cta.pk}"' in history
    assert f'data-back="{both}"' in history
    assert f'hx-get="{both}" hx-trigger="account:changed' in history
    assert 'href="/w/orbiton/ctas/?tab=team" aria-label="Close" data-close-drawer' in history
    assert "Back to" not in text(priya.fragment(f"ctas/?history={enrollment.pk}", "drawer"))
    assert "Back to" not in text(priya.fragment(f"ctas/?history={enrollment.pk}&cta=x", "drawer"))


def test_one_opened_by_hand_names_no_playbook(inside: Workspace) -> None:
    cta = open_cta(account=account(), name="Call", type="risk", by=inside.priya, now=MONDAY)

    assert 'aria-label="Playbook"' not in text(Visitor(inside.priya).fragment(f"ctas/{cta.pk}/", "drawer"))
