"""The two lists there are."""

from collections.abc import Mapping
from datetime import date

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.models import Account, EndUser
from accounts.rules.fields import Subject
from accounts.table import built_in, people
from accounts.table.columns import ColumnSource
from accounts.table.facts import FactColumns
from accounts.table.indicators import IndicatorColumns
from accounts.table.listing import Listing
from accounts.table.segments import SegmentColumns
from accounts.table.traits import TraitColumns
from cs_platform.tenancy.models import Membership


def _of_accounts(member: Membership, today: date) -> list[ColumnSource]:
    """In the order of the table: what every workspace has, what upper layers offer, details, traits."""
    return [
        built_in.BuiltIn(member, today),
        *(import_string(path)() for path in settings.TABLE_COLUMN_SOURCES),
        SegmentColumns(Subject.ACCOUNT),
        IndicatorColumns(),
        built_in.Details(),
        FactColumns(Subject.ACCOUNT, today),
        TraitColumns(member.tenant_id, Subject.ACCOUNT),
    ]


def _of_users(member: Membership, today: date) -> list[ColumnSource]:
    return [
        people.People(member.tenant, today),
        *(import_string(path)() for path in settings.USER_COLUMN_SOURCES),
        SegmentColumns(Subject.USER),
        FactColumns(Subject.USER, today),
        TraitColumns(member.tenant_id, Subject.USER),
    ]


ACCOUNTS = Listing(
    key="accounts",
    noun="account",
    subject=Subject.ACCOUNT,
    model=Account,
    alias="a",
    search="Search accounts",
    found=built_in.found,
    sort="renewal_on",
    presets=(
        ("All accounts", {}),
        ("My book", {"csm": "me"}),
        ("Renewing in 90 days", {"renews": "90", "sort": "renewal_on"}),
        ("Trials", {"status": "trialing", "sort": "-created_at"}),
        ("Churned", {"status": "churned"}),
    ),
    sources=_of_accounts,
    summed="a.mrr_cents",
)
USERS = Listing(
    key="users",
    noun="user",
    subject=Subject.USER,
    model=EndUser,
    alias="u",
    search="Name, email or id",
    found=people.found,
    sort="-last_seen",
    presets=(
        ("All users", {}),
        ("Key contacts", {"key": "yes"}),
        ("Seen in 7 days", {"seen": "7"}),
        ("Not seen for 90 days", {"seen": "long"}),
    ),
    sources=_of_users,
    tied=people.at_one_account,
)
LISTINGS: Mapping[str, Listing] = {listing.key: listing for listing in (ACCOUNTS, USERS)}
