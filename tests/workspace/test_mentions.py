"""@mentions: kept as who is meant, shown by today's name."""

from cs_platform.tenancy.models import Membership
from cs_platform.workspace.mentions import keep_mentions, mentioned_in, names_of, offer, pieces, written
from tests.world import Workspace


def shown(body: str) -> str:
    return "".join(piece.text for piece in pieces(body, names_of(mentioned_in(body))))


def test_a_name_is_kept_as_who_is_meant_and_follows_a_new_name(inside: Workspace) -> None:
    body = keep_mentions("Hello @maya osei, and @TOM@orbiton.example. Not a@Maya Osei, nor @Nobody or @Maya Oseis.")
    Membership.objects.filter(pk=inside.maya.pk).update(name="Maya Lindgren")

    assert mentioned_in(body) == {inside.maya.pk, inside.tom.pk}
    assert shown(body) == ("Hello @Maya Lindgren, and @Tom Lindqvist. Not a@Maya Osei, nor @Nobody or @Maya Oseis.")
    assert written(body).startswith("Hello @Maya Lindgren, and @Tom Lindqvist.")


def test_two_of_one_name_are_told_apart_by_their_address(inside: Workspace) -> None:
    Membership.objects.filter(pk=inside.tom.pk).update(name="Priya Raman")

    assert mentioned_in(keep_mentions("@Priya Raman, who of you?")) == set()
    assert [handle for _, handle in offer("priya")] == ["priya@orbiton.example", "tom@orbiton.example"]
    assert mentioned_in(keep_mentions("@tom@orbiton.example then")) == {inside.tom.pk}
    assert written(f"<@{inside.tom.pk}> then") == "@tom@orbiton.example then"


def test_who_left_is_offered_no_more_but_stays_named(inside: Workspace) -> None:
    body = keep_mentions("Ask @Tom Lindqvist")
    Membership.objects.filter(pk=inside.tom.pk).update(deactivated_at=inside.tom.joined_at)

    assert keep_mentions("Ask @Tom Lindqvist") == "Ask @Tom Lindqvist"
    assert shown(body) == "Ask @Tom Lindqvist"
    assert keep_mentions(written(body), also=mentioned_in(body)) == body
    assert [member.name for member, _ in offer("tom")] == []


def test_an_id_that_is_nobodys_stays_the_text_it_is(inside: Workspace) -> None:
    assert shown("<@999999999> and <b>bold</b>") == "<@999999999> and <b>bold</b>"
