"""What can be done to many accounts at once. Upper layers add verbs of theirs through settings.BULK_VERBS."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.utils.module_loading import import_string

from cs_platform.jobs.kinds import Item
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.models import Tenant
from cs_platform.tenancy.roles import Ability

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """What a verb is told: on whose behalf, with what settings, and when."""

    tenant: Tenant
    config: Config
    actor: str  # "job:7": how values know what wrote them
    person: str  # "person:3": who asked for it
    now: datetime

    @property
    def member(self) -> None:
        """A job is no team member."""
        return None


@dataclass(frozen=True, slots=True)
class Done:
    """`items` are what changed; accounts that needed no change are in neither."""

    items: Sequence[Item] = ()
    refused: Mapping[int, str] = field(default_factory=dict)


class VerbForm(forms.Form):
    """The settings of a verb: the dialog renders it, the API validates with it."""

    def config(self) -> dict[str, Any]:
        """As the job keeps it."""
        return dict(self.cleaned_data)


class BulkVerb(ABC):
    """Stateless. `apply` and `restore` work on a slice of accounts, set-wise, in one transaction."""

    key: ClassVar[str]
    label: ClassVar[str]
    icon: ClassVar[str]
    ability: ClassVar[Ability] = Ability.EDIT_ACCOUNTS
    form: ClassVar[type[VerbForm]]

    @abstractmethod
    def describe(self, config: Config) -> str:
        """“Set Stage to Renewal”."""

    @abstractmethod
    def apply(self, task: Task, account_ids: Sequence[int]) -> Done: ...

    @abstractmethod
    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        """`task` is the undo's, `undone` the actor whose work it takes back. Returns what stays, and why."""


@cache
def bulk_verbs() -> Mapping[str, BulkVerb]:
    verbs: list[BulkVerb] = [import_string(path)() for path in settings.BULK_VERBS]
    return {verb.key: verb for verb in verbs}


def subject_of(account_id: int) -> str:
    return f"account:{account_id}"


def account_id_of(item: JobItem) -> int:
    return int(item.subject.partition(":")[2])
