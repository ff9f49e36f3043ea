"""What texts can say about accounts, users and people: the fields rules know, and nothing else."""

from datetime import date

from accounts.models import Account, EndUser
from actions.base import Held
from actions.variables import SENDER, USER, load_texts, workspace_variables
from tests import world
from tests.actions.world import batch_of, statements
from tests.world import MONDAY, Workspace


def rendered(source: str, account: Account, user: EndUser | None = None) -> object:
    batch = batch_of("create_indicator", None, (account, user) if user else account)
    text = load_texts(batch, {"it": source}).of(batch.runs[0])
    return text["it"] if not isinstance(text, Held) else text


def test_built_in_fields_read_as_people_write_them(orbiton: Workspace, harbour: Account) -> None:
    Account.objects.filter(pk=harbour.pk).update(
        mrr_cents=125_000, renewal_on=date(2026, 12, 1), last_seen_at=MONDAY, lifecycle="trialing"
    )

    assert rendered("{{ account.name }} / {{ account.plan }}", harbour) == "Harbourline Logistics / Pro"
    assert rendered("{{ account.mrr }}", harbour) == "1,250"
    assert rendered("{{ account.renewal_on }}", harbour) == "1 Dec 2026"
    assert rendered("{{ account.last_seen_at }}", harbour) == "2 Nov 2026, 12:00"
    assert rendered("{{ account.lifecycle }}", harbour) == "Trialing"
    assert rendered("{{ account.csm }}", harbour) == "Priya Raman"


def test_traits_of_every_kind_can_be_said(orbiton: Workspace, harbour: Account) -> None:
    world.trait("seats", "number")
    world.trait("worth", "currency")
    world.trait("regions", "list")
    world.trait("signed", "date")
    world.trait("sponsor", "person")
    traits = {"seats": 12, "worth": 1250, "regions": ["EU", "US"], "signed": "2026-01-05", "sponsor": orbiton.maya.pk}
    Account.objects.filter(pk=harbour.pk).update(
        traits=traits, n01=12, m01=1250, l01=["EU", "US"], d01="2026-01-05", m02=orbiton.maya.pk
    )

    names = ("seats", "worth", "regions", "signed", "sponsor")
    said = [rendered(f"{{{{ account.traits.{name} }}}}", harbour) for name in names]

    assert said == ["12", "12.50", "EU, US", "5 Jan 2026", "Maya Osei"]


def test_users_csms_and_first_names(orbiton: Workspace, harbour: Account, ben: EndUser) -> None:
    assert rendered("{{ user.first_name }} {{ user.role }}", harbour, ben) == "Ben admin"
    assert rendered("{{ csm.first_name }} <{{ csm.email }}>", harbour, ben) == "Priya <priya@orbiton.example>"


def test_a_csm_who_left_is_not_named(orbiton: Workspace, harbour: Account) -> None:
    orbiton.priya.deactivated_at = MONDAY
    orbiton.priya.save()

    assert rendered('{{ csm.name | default: "your team" }}', harbour) == "your team"


def test_a_trait_deleted_since_has_no_value(orbiton: Workspace, harbour: Account) -> None:
    assert rendered('{{ account.traits.gone | default: "-" }}', harbour) == "-"


def test_senders_and_users_are_known_where_asked_for(orbiton: Workspace) -> None:
    assert "sender.name" not in workspace_variables()
    assert {"sender.name", "user.first_name"} <= set(workspace_variables((SENDER, USER)))


def test_texts_without_variables_cost_no_statement(orbiton: Workspace, harbour: Account) -> None:
    batch = batch_of("create_indicator", None, harbour)

    assert statements(lambda: load_texts(batch, {"it": "Plain"})) == 0
    assert statements(lambda: load_texts(batch, {"it": "{{ account.name }}"})) == 2
