import pytest

from tests.rest.client import Api

FACTS = {"scope": "account", "key": "stage", "label": "Stage", "type": "text"}


@pytest.fixture
def acme(api: Api) -> str:
    api.post("/traits/", FACTS)
    return f"/accounts/{api.post('/accounts/', {'external_id': 'acme'}).json['id']}/"


def test_a_reader_who_has_it_already_gets_no_body(api: Api, acme: str) -> None:
    first = api.get(acme)
    again = api.get(acme, If_None_Match=f"W/{first['ETag']}")

    assert (again.status, again.response.content, again["ETag"]) == (304, b"", first["ETag"])
    assert api.get(acme, If_None_Match='"other"').status == 200


def test_a_change_based_on_an_old_reading_is_refused(api: Api, acme: str) -> None:
    old = api.get(acme)["ETag"]
    assert api.patch(acme, {"traits": {"stage": "A"}}, If_Match=old).status == 200
    answer = api.patch(acme, {"traits": {"stage": "B"}}, If_Match=old)

    assert (answer.status, answer.json["code"]) == (412, "precondition_failed")
    assert api.get(acme).json["traits"] == {"stage": "A"}


def test_a_change_answers_with_the_tag_for_the_next(api: Api, acme: str) -> None:
    first = api.patch(acme, {"traits": {"stage": "A"}})

    assert first["ETag"] == api.get(acme)["ETag"]
    assert api.patch(acme, {"traits": {"stage": "B"}}, If_Match=first["ETag"]).status == 200


def test_the_tag_is_of_the_whole_thing_however_few_fields_are_sent(api: Api, acme: str) -> None:
    assert api.get(f"{acme}?fields=id")["ETag"] == api.get(acme)["ETag"]


def test_an_upsert_can_insist_on_what_was_read(api: Api, acme: str) -> None:
    tag = api.get(acme)["ETag"]

    assert api.put("/accounts/by-external-id/acme/", {"name": "A"}, If_Match=tag).status == 200
    assert api.put("/accounts/by-external-id/acme/", {"name": "B"}, If_Match=tag).status == 412
    assert api.put("/accounts/by-external-id/new/", {"name": "B"}, If_Match="*").status == 412
