"""Accounts, their users, and the tie between the two."""

from typing import TYPE_CHECKING, Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Func, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower
from django.urls import reverse

from accounts.models.slots import fast_slot_indexes, slot_fields
from cs_platform.tenancy.base import TenantForeignKey, TenantManager, TenantModel
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

if TYPE_CHECKING:
    from accounts.rules.compile import Sql


class Lifecycle(models.TextChoices):
    TRIALING = "trialing", "Trialing"
    SUBSCRIBED = "subscribed", "Subscribed"
    CHURNED = "churned", "Churned"
    IGNORED = "ignored", "Ignored"


TRACKED = (Lifecycle.TRIALING, Lifecycle.SUBSCRIBED)
MONTHS_IN_A_YEAR = 12


HEALTH_GIVEN_ANEW = models.Q(
    Func(
        "health",
        "health_kept",
        arg_joiner=" IS DISTINCT FROM ",
        output_field=models.BooleanField(),
        template="%(expressions)s",
    )
)


class AccountQuerySet(models.QuerySet["Account"]):
    def present(self) -> "AccountQuerySet":
        return self.filter(archived_at__isnull=True)

    def tracked(self) -> "AccountQuerySet":
        return self.present().filter(lifecycle__in=TRACKED)

    def where(self, predicate: "Sql") -> "AccountQuerySet":
        """Accounts for which a compiled rule holds. The rule names the table `a`, so it is tested by primary key."""
        ids = RawSQL(f"SELECT a.id FROM accounts_account a WHERE {predicate.text}", predicate.params)
        return self.filter(pk__in=ids)

    def beginning(self, text: str) -> "AccountQuerySet":
        """Accounts whose name, or its second or third word on, begins like this: what an index can look up."""
        ids = RawSQL(
            "SELECT a.id FROM accounts_account a"
            " WHERE a.tenant_id = %s AND (a.words ^@ %s OR a.words_from_2 ^@ %s OR a.words_from_3 ^@ %s)",
            [current_tenant_id(), *[text.lower()] * 3],
        )
        return self.filter(pk__in=ids)


def _words_from(number: int) -> models.GeneratedField:
    """The name in lower case from its nth word on: under row-level security only a beginning can be looked up."""
    rest = Func("name", Value(r"^\s*" + r"\S+\s+" * (number - 1) + r"(.*)$"), function="SUBSTRING")
    return models.GeneratedField(expression=Lower(rest), output_field=models.TextField(null=True), db_persist=True)


class Account(TenantModel):
    """A customer of the workspace. `traits` is the source of truth; slots mirror it, columns mirror mapped traits."""

    external_id = models.TextField()
    name = models.TextField()
    plan = models.TextField(null=True, blank=True)
    lifecycle = models.CharField(max_length=12, choices=Lifecycle.choices, default=Lifecycle.SUBSCRIBED)
    mrr_cents = models.BigIntegerField(null=True, blank=True)
    renewal_on = models.DateField(null=True, blank=True)
    trial_end_on = models.DateField(null=True, blank=True)
    timezone = models.TextField(null=True, blank=True)
    csm = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    ae = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    parent = TenantForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children")
    health = models.FloatField(null=True, blank=True)
    health_kept = models.FloatField(null=True, blank=True, editable=False)  # what its history last says
    # Why it looks unwell, and until when chosen playbooks leave it alone.
    known_cause = models.TextField(blank=True, default="", db_default="")
    known_cause_until = models.DateField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    user_count = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)
    archived_by = models.CharField(max_length=100, blank=True, default="", db_default="")  # empty: an undone import
    words = _words_from(1)
    words_from_2 = _words_from(2)
    words_from_3 = _words_from(3)
    vars().update(slot_fields())
    # Last on purpose: a scan that needs only slots stops before it.
    traits = models.JSONField(default=dict)
    # key -> who wrote the present value, when that was not an import: "person:7", "run:0198…" (TRUST: undo by writer).
    trait_writers = models.JSONField(default=dict)
    # key -> when an integration last spoke of it: a late call must not overwrite newer news (accounts/ingest/merge.py).
    trait_moments = models.JSONField(default=dict, db_default={})

    objects = TenantManager.from_queryset(AccountQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "external_id"], name="accounts_account_external_id"),
        ]
        indexes = [
            # Read by the accounts table: its default and built-in sorts, each ending in id.
            models.Index(fields=["tenant", "name", "id"], name="accounts_by_name"),
            models.Index(fields=["tenant", "mrr_cents", "id"], name="accounts_by_mrr"),
            models.Index(fields=["tenant", "renewal_on", "id"], name="accounts_by_renewal"),
            models.Index(fields=["tenant", "health", "id"], name="accounts_by_health"),
            # Read by the evaluation: whose health has been given anew since the last one?
            models.Index(fields=["tenant", "id"], condition=HEALTH_GIVEN_ANEW, name="accounts_health_given_anew"),
            # The evaluation counts by it, too, and need not read an account for that.
            models.Index(
                fields=["tenant", "lifecycle", "id"],
                condition=models.Q(archived_at__isnull=True),
                name="accounts_by_lifecycle",
            ),
            models.Index(fields=["tenant", "csm", "id"], name="accounts_by_csm"),
            models.Index(fields=["tenant", "ae", "id"], name="accounts_by_ae"),
            models.Index(fields=["tenant", "last_seen_at", "id"], name="accounts_by_last_seen"),
            models.Index(fields=["tenant", "created_at", "id"], name="accounts_by_created"),
            # For whoever asks the API what has changed since: it knows ranges of pages only, and so lets a change stay
            # on its page without a word to any index.
            BrinIndex(fields=["tenant", "updated_at"], pages_per_range=32, name="accounts_by_updated"),
            models.Index(fields=["tenant", "user_count", "id"], name="accounts_by_user_count"),
            # Read by the evaluation, for playbooks that respect it, and by the accounts table's filter.
            models.Index(
                fields=["tenant", "known_cause_until", "id"],
                condition=models.Q(known_cause_until__isnull=False),
                name="accounts_by_known_cause",
            ),
            *fast_slot_indexes("accounts"),
            # Read by search: the beginning of any of the first three words.
            *(
                models.Index(
                    fields=["tenant", words], opclasses=["int8_ops", "text_pattern_ops"], name=f"accounts_{words}"
                )
                for words in ("words", "words_from_2", "words_from_3")
            ),
            # Read by the page of a parent account.
            models.Index(
                fields=["tenant", "parent"], condition=models.Q(parent__isnull=False), name="accounts_by_parent"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def arr_cents(self) -> int | None:
        return None if self.mrr_cents is None else self.mrr_cents * MONTHS_IN_A_YEAR

    def get_absolute_url(self) -> str:
        return reverse("accounts:detail", args=[self.tenant.slug, self.pk])


class EndUser(TenantModel):
    """A person at one or several accounts. What is true of them at one account lives on AccountUser."""

    external_id = models.TextField()
    email = models.TextField(null=True, blank=True)
    name = models.TextField(blank=True, default="")
    last_seen_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)
    archived_by = models.CharField(max_length=100, blank=True, default="", db_default="")  # empty: an undone import
    words = _words_from(1)
    words_from_2 = _words_from(2)
    vars().update(slot_fields())
    traits = models.JSONField(default=dict)
    trait_writers = models.JSONField(default=dict)
    trait_moments = models.JSONField(default=dict, db_default={})

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "external_id"], name="accounts_enduser_external_id"),
        ]
        indexes = [
            # Read by the users table: its sorts, each ending in id; by email also search, and replies that come back.
            models.Index(fields=["tenant", "name", "id"], name="accounts_enduser_by_name"),
            models.Index(fields=["tenant", "email", "id"], name="accounts_enduser_by_email"),
            models.Index(fields=["tenant", "last_seen_at", "id"], name="accounts_enduser_by_last_seen"),
            models.Index(fields=["tenant", "created_at", "id"], name="accounts_enduser_by_created"),
            # For whoever asks the API what has changed since: it knows ranges of pages only, and so lets a change stay
            # on its page without a word to any index.
            BrinIndex(fields=["tenant", "updated_at"], pages_per_range=32, name="accounts_enduser_by_updated"),
            # Read by search: the beginning of the first two words of a name.
            *(
                models.Index(
                    fields=["tenant", words],
                    opclasses=["int8_ops", "text_pattern_ops"],
                    name=f"accounts_enduser_{words}",
                )
                for words in ("words", "words_from_2")
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.external_id


class AccountUser(TenantModel):
    """One person at one account."""

    is_referenced = False

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="account_users")
    end_user = TenantForeignKey(EndUser, on_delete=models.CASCADE, related_name="account_users")
    role = models.TextField(null=True, blank=True)
    role_at = models.DateTimeField(null=True, blank=True)  # the moment of the call that last spoke of the role
    last_seen_at = models.DateTimeField(null=True, blank=True)
    is_key_contact = models.BooleanField(default=False)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "account", "end_user"], name="accounts_accountuser_once"),
        ]
        indexes = [
            # Read from a user to their accounts.
            models.Index(fields=["tenant", "end_user", "account"], name="accounts_accountuser_user"),
            # Read by the users table's filter by role, which offers those there are.
            models.Index(
                fields=["tenant", "role"], condition=models.Q(role__isnull=False), name="accounts_accountuser_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.end_user_id} at {self.account_id}"


def writer_of(subject: Any, key: str) -> str:
    """Who wrote a trait's present value; values nobody tagged came from an import."""
    return subject.trait_writers.get(key, "import")
