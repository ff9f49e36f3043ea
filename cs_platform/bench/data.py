"""Workspaces of made-up customers, written by the server itself from generate_series.

Every value is a hash of its row's number, so the same size always gives the same data; and because it depends on the
row, the planner cannot compute it once for all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, connections

from accounts.models import Account, EndUser, EventType, TraitDefinition
from cs_platform.bench.profiles import DAYS_OF_EVENTS, EVENTS_PER_ACCOUNT, NOW, SEED, USERS_PER_ACCOUNT, Profile
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant, User

SLICE = 50_000  # rows a statement writes: well within the time limit of a statement
PEOPLE = 10
EVENTS = [
    f"{thing} {verb}"
    for thing in ("Report", "Dashboard", "Project", "Invoice")
    for verb in ("Created", "Viewed", "Shared", "Exported", "Deleted")
]
INDICATORS = {"Low adoption": "risk", "Champion left": "risk", "Payment late": "risk", "Ready to expand": "opportunity"}
TABLES = [
    "account",
    "enduser",
    "accountuser",
    "eventcount",
    "eventtype",
    "healthreading",
    "indicator",
    "traitdefinition",
]


# Expressions over the row's number `i` --------------------------------------------------------------------------------


def chance(salt: int, of: str = "i") -> str:
    """From 0 up to 1, evenly."""
    return f"((hashint8extended({of}, {SEED + salt}) & 1048575) / 1048576::float8)"


def one_of(salt: int, *values: str) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"(ARRAY[{listed}])[1 + floor({chance(salt)} * {len(values)})::int]"


def some_of(salt: int, *values: str) -> str:
    bit = f"hashint8extended(i, {SEED + salt}) >> {{at}} & 3 = 0"
    cases = ", ".join(f"CASE WHEN {bit.format(at=2 * at)} THEN '{value}' END" for at, value in enumerate(values))
    return f"array_remove(ARRAY[{cases}]::text[], NULL)"


def whole(salt: int, low: int, high: int) -> str:
    return f"floor({low} + {chance(salt)} * {high - low + 1})"


def dollars(salt: int, high: int) -> str:
    """In cents; many small ones and few large ones."""
    return f"(100 * floor({high} * {chance(salt)} ^ 3))::bigint"


def day(salt: int, low: int, high: int) -> str:
    return f"(date '{NOW.date()}' + {whole(salt, low, high)}::int)"


def moment(salt: int, days: int) -> str:
    return f"date_trunc('second', timestamptz '{NOW.isoformat()}' - {chance(salt)} ^ 2 * interval '{days} days')"


def usually(salt: int, share: float, value: str) -> str:
    return f"CASE WHEN {chance(salt)} < {share} THEN {value} END"


@dataclass(frozen=True, slots=True)
class Trait:
    key: str
    type: str
    slot: str
    value: str
    choices: tuple[str, ...] = ()

    @property
    def json(self) -> str:
        """The slot's value as the traits document holds it."""
        if self.type == "moment":
            return f"to_char(s.{self.slot} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        return f"s.{self.slot}"


def _choice(key: str, slot: str, salt: int, *values: str) -> Trait:
    return Trait(key, "choice", slot, one_of(salt, *values), values)


ACCOUNT_TRAITS = [
    _choice("industry", "t01", 1, "Software", "Retail", "Finance", "Health", "Education", "Media"),
    _choice("region", "t02", 2, "EMEA", "AMER", "APAC"),
    _choice("stage", "t03", 3, "Onboarding", "Adoption", "Renewal", "Expansion"),
    Trait("tier", "text", "t04", one_of(4, "A", "B", "C", "D")),
    Trait("website", "url", "t05", "'https://customer-' || i || '.example'"),
    Trait("source", "text", "t06", one_of(6, "inbound", "outbound", "partner", "event", "referral")),
    Trait("crm", "text", "t07", one_of(7, "salesforce", "hubspot", "pipedrive", "none")),
    Trait("language", "text", "t08", one_of(8, "en", "de", "fr", "es", "ja")),
    Trait("seats", "number", "n01", whole(11, 1, 400)),
    Trait("active_seats", "number", "n02", whole(12, 0, 300)),
    Trait("tickets", "number", "n03", whole(13, 0, 40)),
    Trait("nps", "number", "n04", whole(14, 0, 10)),
    Trait("logins", "number", "n05", whole(15, 0, 500)),
    Trait("storage_gb", "number", "n06", f"round((1000 * {chance(16)})::numeric, 2)::float8"),
    Trait("api_calls", "number", "n07", whole(17, 0, 100_000)),
    Trait("arr", "currency", "m01", dollars(21, 600_000)),
    Trait("expansion", "currency", "m02", dollars(22, 80_000)),
    Trait("contract_start", "date", "d01", day(31, -900, 0)),
    Trait("onboarded_on", "date", "d02", day(32, -400, 30)),
    Trait("qbr_on", "date", "d03", day(33, -120, 120)),
    Trait("last_login_at", "moment", "s01", moment(41, 120)),
    Trait("sso", "boolean", "b01", f"{chance(51)} < 0.4"),
    Trait("beta", "boolean", "b02", f"{chance(52)} < 0.2"),
    Trait("paid_support", "boolean", "b03", f"{chance(53)} < 0.5"),
    Trait("modules", "list", "l01", some_of(61, "crm", "billing", "reports", "api", "mobile")),
]
USER_TRAITS = [
    _choice("department", "t01", 101, "Sales", "Support", "Product", "Finance", "IT"),
    Trait("title", "text", "t02", one_of(102, "Director", "Manager", "Engineer", "Analyst", "VP Sales", "VP Product")),
    Trait("locale", "text", "t03", one_of(103, "en", "de", "fr", "es")),
    Trait("plan_role", "text", "t04", one_of(104, "admin", "editor", "viewer")),
    Trait("score", "number", "n01", whole(111, 0, 100)),
    Trait("logins", "number", "n02", whole(112, 0, 200)),
    Trait("sessions", "number", "n03", whole(113, 0, 900)),
    Trait("invited_on", "date", "d01", day(131, -300, 0)),
    Trait("champion", "boolean", "b01", f"{chance(151)} < 0.1"),
    Trait("trained", "boolean", "b02", f"{chance(152)} < 0.3"),
]
_HEALTH = usually(312, 0.8, whole(313, 0, 100))
PRESENT = 0.72  # of 25 possible traits an account has 18
_WROTE_AT = f"timestamptz '{NOW.isoformat()}' - interval '1 day'"
_FIRST_WORDS = ["Amber", "Birch", "Calyx", "Drumlin", "Ember", "Foxglove", "Harbour", "Juniper", "Kestrel", "North"]
_SECOND_WORDS = ["Bank", "Energy", "Foods", "Freight", "Games", "Health", "Logistics", "Media", "Retail", "Robotics"]
_ACCOUNT_COLUMNS = {
    "external_id": "'a-' || i",
    "name": f"{one_of(298, *_FIRST_WORDS)} || ' ' || {one_of(299, *_SECOND_WORDS)} || ' ' || i",
    "plan": usually(301, 0.95, one_of(302, "Free", "Starter", "Growth", "Enterprise")),
    "lifecycle": f"CASE WHEN {chance(303)} < 0.7 THEN 'subscribed' WHEN {chance(303)} < 0.82 THEN 'trialing'"
    f" WHEN {chance(303)} < 0.95 THEN 'churned' ELSE 'ignored' END",
    "mrr_cents": usually(304, 0.9, dollars(305, 50_000)),
    "renewal_on": usually(306, 0.85, day(307, -30, 335)),
    "trial_end_on": usually(308, 0.3, day(309, -20, 40)),
    "timezone": usually(310, 0.4, one_of(311, "Europe/Berlin", "America/New_York", "Asia/Tokyo")),
    "health": _HEALTH,
    "health_kept": _HEALTH,
    "last_seen_at": usually(314, 0.92, moment(315, 150)),
    "user_count": str(USERS_PER_ACCOUNT),
    "created_at": moment(316, 900),
    "updated_at": _WROTE_AT,
}
_USER_COLUMNS = {
    "external_id": "'u-' || i",
    "email": "'user-' || i || '@customer.example'",
    "name": "'User ' || i",
    "last_seen_at": usually(401, 0.9, moment(402, 120)),
    "created_at": moment(403, 700),
    "updated_at": _WROTE_AT,
}


# Writing it -----------------------------------------------------------------------------------------------------------


def make_workspaces(profile: Profile) -> list[Tenant]:
    """All of it, vacuumed and with statistics, as a database that has been running for a while would have them."""
    tenants = [make_workspace(f"bench-{number}", accounts) for number, accounts in enumerate(profile.shares(), 1)]
    settle_tables(f"accounts_{table}" for table in TABLES)
    return tenants


def make_workspace(slug: str, accounts: int) -> Tenant:
    tenant = Tenant.objects.create(slug=slug, name=slug, created_at=NOW)
    people = make_people(tenant, PEOPLE)
    with tenant_context(tenant.pk):
        define_traits()
        first = fill_accounts(tenant, accounts, people, ACCOUNT_TRAITS)
        _make_users(tenant, accounts, first_account=first)
        _make_indicators(tenant, accounts, first_account=first)
        _make_readings(tenant)
    return tenant


def settle_tables(tables: Iterable[str]) -> None:
    with connections["owner"].cursor() as cursor:
        for table in tables:
            cursor.execute(f"VACUUM (ANALYZE) {table}")


def make_people(tenant: Tenant, count: int) -> list[int]:
    emails = [f"{number}@{tenant.slug}.example" for number in range(count)]
    users = User.objects.bulk_create([User(email=email, name=email) for email in emails])
    members = [
        Membership(tenant=tenant, user=user, role="csm", name=f"Member {at}", email=user.email, joined_at=NOW)
        for at, user in enumerate(users)
    ]
    return [member.pk for member in Membership.objects.bulk_create(members)]


def _owners(people: Sequence[int]) -> dict[str, str]:
    ids = f"ARRAY[{', '.join(map(str, people))}]::bigint[]"
    return {
        column: usually(salt, 0.95, f"({ids})[1 + floor({chance(salt + 1)} * {len(people)})::int]")
        for column, salt in (("csm_id", 320), ("ae_id", 322))
    }


def define_traits() -> None:
    TraitDefinition.objects.bulk_create(
        TraitDefinition(
            scope=scope, key=trait.key, label=trait.key, type=trait.type, slot=trait.slot, choices=list(trait.choices)
        )
        for scope, traits in (("account", ACCOUNT_TRAITS), ("user", USER_TRAITS))
        for trait in traits
    )


def fill_accounts(tenant: Tenant, accounts: int, people: Sequence[int], traits: Sequence[Trait]) -> int:
    """Returns the first one's id."""
    return _fill("accounts_account", _ACCOUNT_COLUMNS, traits, accounts, tenant, _owners(people))


def _fill(
    table: str, columns: dict[str, str], traits: Sequence[Trait], rows: int, tenant: Tenant, more: dict[str, str]
) -> int:
    """Returns the id of the first row; the others follow without a gap, for nobody else writes here."""
    columns = columns | more
    slots = {trait.slot: usually(500 + at, PRESENT, trait.value) for at, trait in enumerate(traits)}
    made = ", ".join(f"{sql} AS {name}" for name, sql in (columns | slots).items())
    names = ", ".join([*columns, *slots])
    document = ", ".join(f"'{trait.key}', {trait.json}" for trait in traits)
    for start in range(1, rows + 1, SLICE):
        execute(
            f"INSERT INTO {table} (tenant_id, {names}, traits, trait_writers)"
            f" SELECT {tenant.pk}, {names}, jsonb_strip_nulls(jsonb_build_object({document})), '{{}}'"
            f" FROM (SELECT {made} FROM {_numbers(start, rows)} ORDER BY i OFFSET 0) s"
        )
    return _first_id(Account if table == "accounts_account" else EndUser)


def _first_id(model: type[Account] | type[EndUser]) -> int:
    first = model.objects.order_by("pk").values_list("pk", flat=True).first()
    assert first is not None
    return first


def _make_users(tenant: Tenant, accounts: int, *, first_account: int) -> None:
    users = accounts * USERS_PER_ACCOUNT
    first_user = _fill("accounts_enduser", _USER_COLUMNS, USER_TRAITS, users, tenant, {})
    for start in range(1, users + 1, SLICE):
        _tie(tenant, _numbers(start, users), first_user, _account_of("i", accounts, first_account))
    # One user in twenty works at a second account.
    _tie(tenant, f"generate_series(20::bigint, {users}, 20) i", first_user, _account_of("-i", accounts, first_account))
    _make_events(tenant, accounts, users, first_account=first_account, first_user=first_user)


def _account_of(user: str, accounts: int, first_account: int) -> str:
    return f"{first_account} + floor({chance(601, user)} * {accounts})::bigint"


def _tie(tenant: Tenant, numbers: str, first_user: int, account: str) -> None:
    execute(
        "INSERT INTO accounts_accountuser (tenant_id, account_id, end_user_id, role, last_seen_at, is_key_contact)"
        f" SELECT {tenant.pk}, {account}, {first_user} + i - 1, {one_of(602, 'owner', 'admin', 'member', 'viewer')},"
        f" {usually(603, 0.9, moment(604, 120))}, {chance(605)} < 0.1 FROM {numbers} ON CONFLICT DO NOTHING"
    )


def _make_events(tenant: Tenant, accounts: int, users: int, *, first_account: int, first_user: int) -> None:
    types = EventType.objects.bulk_create([EventType(name=name) for name in EVENTS])
    ids = f"ARRAY[{', '.join(str(type.pk) for type in types)}]::bigint[]"
    rows = accounts * EVENTS_PER_ACCOUNT
    for start in range(1, rows + 1, SLICE):
        execute(
            "INSERT INTO accounts_eventcount (tenant_id, event_type_id, day, account_id, end_user_id, count, last_at)"
            f" SELECT {tenant.pk}, ({ids})[1 + floor({chance(701)} ^ 2 * {len(types)})::int],"
            f" {day(702, 1 - DAYS_OF_EVENTS, 0)}, {_account_of('who', accounts, first_account)},"
            f" {first_user} + who - 1, 1 + ({chance(703)} ^ 3 * 20)::int, {_WROTE_AT}"
            f" FROM (SELECT i, 1 + floor({chance(704)} * {users})::bigint AS who FROM {_numbers(start, rows)}) n"
            " ON CONFLICT DO NOTHING"
        )


def _make_indicators(tenant: Tenant, accounts: int, *, first_account: int) -> None:
    for at, (title, kind) in enumerate(INDICATORS.items()):
        state = f"CASE WHEN {chance(810 + at)} < 0.6 THEN 'active' ELSE 'addressed' END"
        execute(
            "INSERT INTO accounts_indicator"
            " (tenant_id, account_id, kind, title, note, state, raised_at, raised_by, settled_by, reason)"
            f" SELECT {tenant.pk}, {first_account} + i - 1, '{kind}', '{title}', '', {state}, {_WROTE_AT},"
            f" 'import', '', '' FROM {_numbers(1, accounts, accounts)} WHERE {chance(800 + at)} < 0.25"
        )


def _make_readings(tenant: Tenant) -> None:
    """The history that `health_kept` speaks of."""
    execute(
        'INSERT INTO accounts_healthreading (tenant_id, account_id, "on", value, grades, is_current)'
        f" SELECT tenant_id, id, date '{NOW.date()}' - 1, health_kept, '{{}}', true FROM accounts_account"
        f" WHERE tenant_id = {tenant.pk} AND health_kept IS NOT NULL"
    )


def _numbers(start: int, last: int, slice: int = SLICE) -> str:
    return f"generate_series({start}::bigint, {min(start + slice - 1, last)}) i"


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
