"""Who may do what: one table, checked by pages, fragments and the API alike, and by generated tests.

Object scope (own accounts, own team) comes on top and is decided where the object is loaded.
"""

from enum import StrEnum

from django.db.models import TextChoices


class Role(TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    MANAGER = "manager", "Manager"
    CSM = "csm", "CSM"
    OBSERVER = "observer", "Observer"


class Ability(StrEnum):
    READ = "read"
    COMMENT = "comment"
    WORK_CTAS = "work_ctas"
    EDIT_ACCOUNTS = "edit_accounts"
    RUN_PLAYBOOKS = "run_playbooks"  # apply and stop on an account
    DRAFT_PLAYBOOKS = "draft_playbooks"
    PUBLISH_PLAYBOOKS = "publish_playbooks"  # set live, pause, archive
    RELEASE_EVALUATIONS = "release_evaluations"  # and stops of more than 25 enrollments
    MANAGE_DATA = "manage_data"  # trait definitions, imports, exports
    MANAGE_MEMBERS = "manage_members"
    READ_AUDIT = "read_audit"  # who changed the set-up, and from where
    MANAGE_CONNECTIONS = "manage_connections"  # API keys, connectors, webhooks
    DELETE_WORKSPACE = "delete_workspace"


_EVERYONE = frozenset(Role)
_WORKERS = _EVERYONE - {Role.OBSERVER}
_LEADS = frozenset({Role.OWNER, Role.ADMIN, Role.MANAGER})
_ADMINS = frozenset({Role.OWNER, Role.ADMIN})

MATRIX: dict[Ability, frozenset[Role]] = {
    Ability.READ: _EVERYONE,
    Ability.COMMENT: _EVERYONE,
    Ability.WORK_CTAS: _WORKERS,
    Ability.EDIT_ACCOUNTS: _WORKERS,
    Ability.RUN_PLAYBOOKS: _WORKERS,
    Ability.DRAFT_PLAYBOOKS: _LEADS,
    Ability.PUBLISH_PLAYBOOKS: _ADMINS,
    Ability.RELEASE_EVALUATIONS: _ADMINS,
    Ability.MANAGE_DATA: _LEADS,
    Ability.MANAGE_MEMBERS: _ADMINS,
    Ability.READ_AUDIT: _ADMINS,
    Ability.MANAGE_CONNECTIONS: _ADMINS,
    Ability.DELETE_WORKSPACE: frozenset({Role.OWNER}),
}

# The scopes an API key may carry, and what each lets it do.
SCOPES: dict[str, frozenset[Ability]] = {
    "read": frozenset({Ability.READ}),
    "write": frozenset({Ability.READ, Ability.EDIT_ACCOUNTS, Ability.WORK_CTAS, Ability.COMMENT}),
    "playbooks:run": frozenset({Ability.READ, Ability.RUN_PLAYBOOKS}),
    "playbooks:write": frozenset({Ability.READ, Ability.DRAFT_PLAYBOOKS}),
    "playbooks:publish": frozenset({Ability.READ, Ability.DRAFT_PLAYBOOKS, Ability.PUBLISH_PLAYBOOKS}),
    "evaluations:release": frozenset({Ability.READ, Ability.RELEASE_EVALUATIONS}),
    "data": frozenset({Ability.READ, Ability.MANAGE_DATA}),
    "audit": frozenset({Ability.READ, Ability.READ_AUDIT}),
    "members": frozenset({Ability.READ, Ability.MANAGE_MEMBERS}),
    "connections": frozenset({Ability.READ, Ability.MANAGE_CONNECTIONS}),
}


# The higher ones first: nobody gives away, or takes, more than they have.
RANKS: tuple[Role, ...] = (Role.OWNER, Role.ADMIN, Role.MANAGER, Role.CSM, Role.OBSERVER)
# What these roles do on accounts of their own and of their teams alone.
WITHIN_REACH: dict[Ability, frozenset[Role]] = {Ability.RUN_PLAYBOOKS: frozenset({Role.MANAGER, Role.CSM})}


def may_give(own: Role, given: Role) -> bool:
    """Whether somebody of one role may make somebody another: owners everything, others nobody above themselves."""
    return allows(own, Ability.MANAGE_MEMBERS) and RANKS.index(own) <= RANKS.index(given)


def is_bound_to_reach(role: Role, ability: Ability) -> bool:
    return role in WITHIN_REACH.get(ability, frozenset())


def allows(role: Role, ability: Ability) -> bool:
    return role in MATRIX[ability]


def scopes_allow(scopes: list[str], ability: Ability) -> bool:
    return any(ability in SCOPES.get(scope, frozenset()) for scope in scopes)
