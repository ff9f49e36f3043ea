"""How many accounts, or users, a saved view finds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar
from zoneinfo import ZoneInfo

from accounts.rules.sql import Clock
from accounts.table.catalogue import Catalogue
from accounts.table.listing import Listing
from accounts.table.lists import ACCOUNTS, USERS
from accounts.table.tallies import count_up_to, states_of
from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.view_counts import Countable


class AccountViews:
    listing: ClassVar[Listing] = ACCOUNTS

    def countable(
        self, views: Sequence[SavedView], *, tenant: Tenant, member: Membership | None, now: datetime
    ) -> Mapping[int, Countable]:
        clock = Clock.at(now, ZoneInfo(tenant.timezone))
        catalogue = Catalogue.of(self.listing, member or Membership(tenant=tenant), today=clock.today)
        states = states_of({view.pk: view.params for view in views}, catalogue, tenant=tenant, clock=clock)
        return {
            pk: Countable(self.listing.noun, partial(count_up_to, state, tenant.pk)) for pk, state in states.items()
        }


class UserViews(AccountViews):
    listing = USERS
