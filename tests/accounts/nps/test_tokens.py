"""A token says who its user is, holds for a while, and cannot be made by anybody else."""

from datetime import timedelta

import pytest
from django.core import signing

from accounts.nps.tokens import LIFE, issue_token, read_token
from tests.world import MONDAY

from .conftest import Scene


def test_a_token_names_workspace_user_account_and_its_end(scene: Scene) -> None:
    token = read_token(str(issue_token(scene.ines, scene.at, now=MONDAY)))
    assert token is not None
    assert (token.tenant_id, token.user_id, token.account_id) == (scene.home.tenant.pk, scene.ines.pk, scene.at.pk)
    assert (token.issued_at, token.expires_at) == (MONDAY, MONDAY + LIFE)


def test_it_holds_until_its_end(scene: Scene) -> None:
    token = issue_token(scene.ines, None, now=MONDAY)
    assert token.holds_at(MONDAY + LIFE - timedelta(seconds=1))
    assert not token.holds_at(MONDAY + LIFE)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: "A" + text,
        lambda text: text.partition(":")[0],
        lambda text: text + "x" * 1_000,
        lambda text: "\x00",
        lambda text: "é:é",
        lambda text: "…" * 50,
        lambda text: signing.Signer(salt="another purpose").sign_object([1, 1, None, 0, 2**31]),
        lambda text: signing.Signer(salt="accounts.nps.user", key="another key").sign_object([1, 1, None, 0, 2**31]),
    ],
)
def test_what_we_did_not_sign_is_no_token(scene: Scene, change: object) -> None:
    assert read_token(change(str(issue_token(scene.ines, None, now=MONDAY)))) is None  # type: ignore[operator]
