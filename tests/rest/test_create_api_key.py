from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import ApiKey
from tests.rest.client import Api
from tests.world import Workspace


def create(**options: object) -> str:
    printed = StringIO()
    call_command("create_api_key", name="Nightly sync", stdout=printed, **options)
    return printed.getvalue().strip()


def test_the_token_it_prints_opens_the_api_and_is_stored_nowhere(orbiton: Workspace) -> None:
    token = create(workspace="orbiton", scopes="read,write", days=30)

    assert Api(token).post("/accounts/", {"external_id": "a"}).status == 201
    with tenant_context(orbiton.tenant.pk):
        key = ApiKey.objects.get()
    assert (key.scopes, key.last_four, key.created_by) == (["read", "write"], token[-4:], None)
    assert key.expires_at is not None
    assert token not in str(key.__dict__)


@pytest.mark.parametrize("options", [{"workspace": "nowhere"}, {"workspace": "orbiton", "scopes": "read,everything"}])
def test_a_wrong_option_is_explained(orbiton: Workspace, options: dict[str, str]) -> None:
    with pytest.raises(CommandError, match=r"There is no workspace|Choose scopes"):
        create(**options)
