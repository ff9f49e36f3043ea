"""What people say about one thing: with mentions, changed and taken back by their authors alone."""

from cs_platform.workspace.models import Comment, Notification
from ctas.models import Cta
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import Workspace


def test_a_mention_tells_whoever_is_meant_and_leads_there(inside: Workspace, priya: Visitor, cta: Cta) -> None:
    priya.submit(f"ctas/{cta.pk}/comments/", body="@Maya Osei, look at this <b>first</b>")
    told = Notification.objects.get(kind="mention")

    assert (told.member_id, told.text, told.actor) == (inside.maya.pk, "Mentioned you on Call them", inside.priya.actor)
    shown = text(Visitor(inside.maya).client.get(told.url, follow=True))
    assert '<span class="mention me">@Maya Osei</span>, look at this &lt;b&gt;first&lt;/b&gt;' in shown


def test_an_edit_tells_only_who_was_not_told_before(inside: Workspace, priya: Visitor, cta: Cta) -> None:
    priya.submit(f"ctas/{cta.pk}/comments/", body="@Maya Osei knows")
    comment = Comment.objects.get()
    form = priya.fragment(f"comments/{comment.pk}/edit/", f"edit-comment-{comment.pk}")
    assert "@Maya Osei knows" in text(form)
    answer = priya.send(f"comments/{comment.pk}/edit/", body="@Maya Osei and @Tom Lindqvist know")

    assert "account:changed" in answer.headers["HX-Trigger"]
    told = Notification.objects.filter(kind="mention").order_by("pk").values_list("member", flat=True)
    assert list(told) == [inside.maya.pk, inside.tom.pk]
    assert Comment.objects.get().edited_at is not None


def test_only_its_author_changes_or_deletes_a_comment(inside: Workspace, priya: Visitor, cta: Cta) -> None:
    priya.submit(f"ctas/{cta.pk}/comments/", body="Mine")
    comment, olga = Comment.objects.get(), Visitor(inside.olga)
    olga.send(f"comments/{comment.pk}/edit/", body="Yours")
    olga.send(f"comments/{comment.pk}/archive/")
    comment.refresh_from_db()

    assert (comment.body, comment.archived_at) == ("Mine", None)
    assert f"comments/{comment.pk}/restore/" in priya.send(f"comments/{comment.pk}/archive/").headers["HX-Trigger"]
    assert "Nobody has said anything" in text(priya.page(f"accounts/{cta.account_id}/?cta={cta.pk}"))
    priya.submit(f"comments/{comment.pk}/restore/")
    assert Comment.objects.filter(archived_at=None).exists()


def test_an_empty_comment_is_refused_in_words(priya: Visitor, cta: Cta) -> None:
    assert "Write something first" in priya.send(f"ctas/{cta.pk}/comments/", body="  ").headers["HX-Trigger"]
    assert not Comment.objects.exists()


def test_team_members_are_offered_while_a_name_is_typed(inside: Workspace, priya: Visitor) -> None:
    names = [one["handle"] for one in priya.page("team/?q=o").json()["members"]]

    assert names == ["Maya Osei", "Olga Lind", "Omar Haddad"]


def test_a_key_changes_what_it_wrote_and_nothing_else(inside: Workspace, priya: Visitor, cta: Cta) -> None:
    priya.submit(f"ctas/{cta.pk}/comments/", body="A person said this")
    api, theirs = Api.with_key(inside.tenant), Comment.objects.get()
    api.post(f"/ctas/{cta.pk}/comment/", {"body": f"<@{inside.tom.pk}> look"})
    own = api.get(f"/comments/?subject=cta:{cta.pk}&ordering=-id").results[0]

    assert own["mentions"] == [inside.tom.pk]
    assert api.patch(f"/comments/{own['id']}/", {"body": "Done"}).json["body"] == "Done"
    assert api.post(f"/comments/{own['id']}/archive/").json["archived_at"]
    assert api.patch(f"/comments/{own['id']}/", {"body": "Again"}).status == 409
    assert api.post(f"/comments/{own['id']}/restore/").json["archived_at"] is None
    assert api.patch(f"/comments/{theirs.pk}/", {"body": "Changed"}).status == 409
