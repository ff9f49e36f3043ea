"""What the product's own code must not say, or only where it is written down here with its reason."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from accounts.rules import compile
from accounts.rules.compile import Audience
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import parse
from accounts.rules.sources import EventFields, IndicatorFields
from accounts.rules.sql import Clock
from tests.tenancy.rows import TENANT_MODELS
from tests.world import MONDAY

ROOT = Path(settings.BASE_DIR)
# Commands for databases of their own, filled with invented workspaces; none serves a request.
TOOLS = ("cs_platform/bench/", "cs_platform/chaos/")
SERVERS = "cs_platform/embedded/"  # starts PostgreSQL itself, as its superuser; knows no workspace

# Modules that speak SQL by themselves. In each, every statement on a workspace's table names tenant_id.
RAW_SQL = {
    "accounts/api/filters.py",
    "accounts/archiving.py",
    "accounts/bulk/heirs.py",
    "accounts/bulk/selection.py",
    "accounts/bulk/set_trait.py",
    "accounts/bulk/writing.py",
    "accounts/changes.py",
    "accounts/conversations/sending.py",
    "accounts/csv_import/heirs.py",
    "accounts/csv_import/undoing.py",
    "accounts/facts.py",
    "accounts/fast_traits.py",
    "accounts/governed.py",
    "accounts/health/defining.py",
    "accounts/health/grading.py",
    "accounts/health/reading.py",
    "accounts/health/report.py",
    "accounts/holders.py",
    "accounts/ingest/definitions.py",
    "accounts/ingest/events.py",
    "accounts/ingest/history.py",
    "accounts/ingest/problems.py",
    "accounts/ingest/run.py",
    "accounts/ingest/subjects.py",
    "accounts/ingest/ties.py",
    "accounts/ingest/upsert.py",
    "accounts/jump.py",
    "accounts/lifecycle.py",
    "accounts/matching.py",
    "accounts/movement.py",
    "accounts/models/account.py",
    "accounts/nps/eligibility.py",
    "accounts/renewals.py",
    "accounts/retention.py",
    "accounts/revenue.py",
    "accounts/segments/defining.py",
    "accounts/segments/listing.py",
    "accounts/segments/moves.py",
    "accounts/segments/settling.py",
    "accounts/table/facts.py",
    "accounts/table/page.py",
    "accounts/table/people.py",
    "accounts/trait_settings.py",
    "accounts/traits.py",
    "actions/calls.py",
    "actions/cta_work.py",
    "actions/letters.py",
    "actions/people.py",
    "actions/subjects.py",
    "actions/types/add_note.py",
    "actions/types/assign.py",
    "actions/types/create_cta.py",
    "actions/types/create_indicator.py",
    "actions/types/create_task.py",
    "actions/types/set_up_tasks.py",
    "actions/types/start_conversation.py",
    "actions/types/start_success_plan.py",
    "actions/types/update_trait.py",
    "actions/variables.py",
    "cs_platform/common/statements.py",
    "cs_platform/common/time_limit.py",
    "cs_platform/common/together.py",
    "cs_platform/dev.py",
    "cs_platform/jobs/leases.py",
    "cs_platform/rest/idempotency.py",
    "cs_platform/tenancy/checks.py",
    "cs_platform/tenancy/clock.py",
    "cs_platform/tenancy/context.py",
    "cs_platform/tenancy/management/commands/prepare_database.py",
    "cs_platform/tenancy/models.py",
    "cs_platform/workspace/errands.py",
    "ctas/bulk/writing.py",
    "ctas/models.py",
    "ctas/month.py",
    "ctas/work_report.py",
    "playbooks/ahead.py",
    "playbooks/applied.py",
    "playbooks/approvals.py",
    "playbooks/audience.py",
    "playbooks/batches.py",
    "playbooks/columns.py",
    "playbooks/compared.py",
    "playbooks/delivery.py",
    "playbooks/effect.py",
    "playbooks/enrollment.py",
    "playbooks/evaluation.py",
    "playbooks/forecast.py",
    "playbooks/heirs.py",
    "playbooks/holdout.py",
    "playbooks/leases.py",
    "playbooks/ledger.py",
    "playbooks/moving.py",
    "playbooks/on_ctas.py",
    "playbooks/outcomes.py",
    "playbooks/pausing.py",
    "playbooks/retiming.py",
    "playbooks/rezoning.py",
    "playbooks/settlement.py",
    "playbooks/stop_jobs.py",
    "playbooks/undo.py",
    "success_plans/models.py",
    "success_plans/plan_report.py",
    "success_plans/progress.py",
}
# Puts statements together from parts; what comes out is looked at below.
COMPILER = "accounts/rules/compile.py"
# Functions whose statements get the tenant from a part that is put in, or from a table that holds one workspace's rows.
COMPOSED = {
    ("accounts/models/account.py", "where"): "the rule inside names it, and so does the manager around it",
    ("accounts/lifecycle.py", ""): "_AS_THEY_ARE gets it where it is used",
    ("accounts/rules/near.py", "count_accounts"): "account_predicate, the gates inside, names it",
    ("accounts/rules/near.py", "judge_accounts"): "verdicts_of_accounts, which is put in, names it",
    ("accounts/rules/near.py", "near_accounts"): "account_predicate, the gates inside, names it",
    ("accounts/rules/near.py", "near_users"): "user_predicate, the gates inside, names it",
    ("accounts/rules/segments.py", "current"): "_members, which is put in, names it",
    ("ctas/columns.py", ""): "_OPEN, which is put in, names it",
    ("playbooks/enrollment.py", "_anchor_dates"): "enroll_subject was filled from one workspace",
}
# What a process remembers between requests and tasks: nothing that a workspace may have said, unless it is the key.
REMEMBERED = {
    ("accounts/bulk/verbs.py", "bulk_verbs"): "what can be done, the same for everybody",
    ("accounts/ingest/reading.py", "_time_zones"): "names of zones",
    ("cs_platform/common/message_templates.py", "parse"): "by the template's whole text; holds no values",
    ("cs_platform/jobs/kinds.py", "job_kinds"): "what can be done, the same for everybody",
    ("cs_platform/jobs/kinds.py", "lasting_kinds"): "how long kinds of work take, the same for everybody",
    ("cs_platform/rest/documents.py", "_committed"): "a file of the checkout",
    ("cs_platform/web/templatetags/ui.py", "icon"): "pictures of the sprite",
    ("ctas/bulk/kind.py", "bulk_verbs"): "what can be done, the same for everybody",
    ("ctas/bulk/kind.py", "task_verbs"): "what can be done, the same for everybody",
    ("playbooks/gallery/__init__.py", "templates"): "files of the checkout",
    ("playbooks/schedule.py", "zone_info"): "zones by name",
}
# Who talks to Redis, and what its keys begin with.
REDIS = {
    "cs_platform/common/calm_cache.py": "limits of sign-in, which belongs to no workspace",
    "cs_platform/dashboard/health.py": "PING only",
    "cs_platform/rest/throttling.py": "rate:<tenant>, see test_shared_places.py",
}
LOCKS = {
    "accounts/conversations/sending.py": "its purpose and the workspace, hashed together",
    "accounts/holders.py": "its purpose and the workspace, hashed together",
    "accounts/facts.py": "(its purpose, tenant)",
    "accounts/health/defining.py": "(its purpose, tenant)",
    "accounts/ingest/run.py": "(its purpose, tenant)",
    "accounts/segments/defining.py": "(its purpose, tenant)",
    "playbooks/evaluation.py": "(its purpose, tenant)",
    "cs_platform/tenancy/management/commands/prepare_database.py": "one deploy at a time, before anybody works",
}
STREAMS = {"cs_platform/jobs/files.py": "each part of a file is read in a context of its own"}
THREADS = {
    "accounts/conversations/intercom.py": "calls to Intercom overlap; none of them asks the database",
    "accounts/conversations/reading.py": "calls to Google overlap; none of them asks the database",
    "actions/by_people.py": "its threads hold a finished letter and never ask the database",
    "playbooks/delivery.py": "its threads hold a finished letter and never ask the database",
}
# Tables outside row-level security are asked with the workspace or the login in the same breath …
SAYS_WHOSE = re.compile(r"in_tenant\(|user=|tenant=|tenant_id=|token_hash=|bulk_create\(members")
# … or by those who serve all of them.
ACROSS = {
    "accounts/ingest/draining.py": "whose turn is it? (DECISIONS: work across tenants)",
    "cs_platform/jobs/pump.py": "whose turn is it? (DECISIONS: work across tenants)",
    "cs_platform/workspace/errands.py": "whose turn is it? (DECISIONS: work across tenants)",
    "playbooks/pump.py": "whose turn is it? (DECISIONS: work across tenants)",
    "cs_platform/demo/workspace.py": "makes the demo's workspace",
    "cs_platform/demo/team.py": "makes the demo's workspace",
}
GLOBAL_MODELS = ("Membership", "Credential", "WorkDue")

TABLE = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(?:ONLY\s+)?(?:" + "|".join(m._meta.db_table for m in TENANT_MODELS) + r")\b"
)


@cache
def modules() -> dict[str, ast.Module]:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    paths = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    names = {path.relative_to(ROOT).as_posix(): path for path in paths if "migrations" not in path.parts}
    return {name: ast.parse(path.read_text()) for name, path in names.items() if not name.startswith((*TOOLS, SERVERS))}


@cache
def nodes() -> dict[str, list[ast.AST]]:
    return {name: list(ast.walk(tree)) for name, tree in modules().items()}


def where(found: Callable[[ast.AST], bool]) -> set[str]:
    return {name for name, inside in nodes().items() if any(map(found, inside))}


def called(node: ast.AST) -> str:
    """What a call calls: `models.QuerySet`; empty for anything else, and where that is computed."""
    names, at = [], getattr(node, "func", None)
    while isinstance(at, ast.Attribute):
        names.append(at.attr)
        at = at.value
    names.append(at.id if isinstance(at, ast.Name) else "")
    return ".".join(reversed(names))


def texts(tree: ast.AST) -> Iterator[str]:
    """Every string, with {} for what is put into it."""
    inside = list(ast.walk(tree))
    parts = {id(part) for node in inside if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in inside:
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Each function and, by the name "", what stands outside of them."""
    inside = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    yield from ((node.name, node) for node in inside)
    rest = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    yield "", ast.Module(rest, [])


def speaks_sql(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "cs_platform.common.statements"
    asks = {"execute", "executemany", "raw", "extra", "RawSQL", "cursor", "copy_expert", "copy_from"}
    return called(node).rpartition(".")[2] in asks


def test_raw_sql_stands_only_in_modules_known_for_it() -> None:
    assert where(speaks_sql) - RAW_SQL == set()


def test_every_statement_on_a_workspaces_table_names_the_workspace() -> None:
    """Row-level security would stop it anyway: this is the other lock, and what the indexes want."""
    silent = {
        (name, function)
        for name, tree in modules().items()
        for function, body in functions(tree)
        for text in texts(body)
        if TABLE.search(text) and "tenant_id" not in text and name != COMPILER
    }
    assert silent - set(COMPOSED) == set()


def test_compiled_rules_name_the_workspace_for_every_table_they_read() -> None:
    fields = FieldSet.of([], [EventFields(((1, "Report"),)), IndicatorFields()])
    used = {"field": "event:Report", "op": "at_least", "value": 3, "days": 30}
    on_account = {
        "all": [{"field": "plan", "op": "is", "value": "Pro"}, used, {"field": "indicator:Low", "op": "active"}]
    }
    audience = Audience(
        account=parse(on_account, fields=fields, subject=Subject.ACCOUNT),
        user=parse(
            {"all": [{"field": "role", "op": "is", "value": "admin"}, used]}, fields=fields, subject=Subject.USER
        ),
    )
    where: dict[str, Any] = {"tenant_id": 4711, "clock": Clock.at(MONDAY, ZoneInfo("UTC"))}
    compiled = [
        compile.matching_accounts(audience, **where),
        compile.matching_users(audience, **where),
        compile.one_pass_accounts([audience], **where),
        compile.one_pass_users([audience], **where),
    ]
    for statement in compiled:
        text = statement.text % tuple(statement.params)
        assert [alias for alias in aliases(text) if f"{alias}tenant_id = 4711" not in text] == []


def aliases(text: str) -> list[str]:
    """`a.` for `FROM accounts_account a`, and nothing where a table goes by its own name."""
    found = re.findall(rf"{TABLE.pattern}(?: AS)?(?: (?!WHERE|JOIN|ON|GROUP|ORDER)(\w+))?", text)
    assert len(found) > 2
    return [f"{alias}." if alias else "" for alias in found]


def test_no_setting_outlives_its_transaction() -> None:
    """Neither in the pool nor for the next request: SET and set_config(…, false) stay with the connection."""
    session_wide = re.compile(r"set_config\([^()]*,\s*false\s*\)|(?:^|;)\s*SET\s+(?!LOCAL\b|NULL\b)\w")
    found = [(name, text) for name, tree in modules().items() for text in texts(tree) if session_wide.search(text)]
    assert found == []


def test_one_module_alone_sets_the_workspace() -> None:
    setting = {name for name, tree in modules().items() if any("set_config('app.tenant_id'" in t for t in texts(tree))}
    assert setting == {"cs_platform/tenancy/context.py"}
    contextvars = where(lambda node: isinstance(node, ast.Name) and node.id == "ContextVar")
    others = {"audit.py", "looked_up.py"}  # the address; what a page asked already, by workspace
    assert contextvars == {f"cs_platform/tenancy/{name}" for name in ("context.py", *others)}


def test_temporary_tables_die_with_their_transaction() -> None:
    made = [text for tree in modules().values() for text in texts(tree) if re.search(r"CREATE TEMP", text)]
    tables = [table for text in made for table in re.split(r"(?=CREATE TEMP)", text) if table.startswith("CREATE TEMP")]
    assert tables
    assert [table for table in tables if "ON COMMIT DROP" not in table] == []


def test_nothing_goes_round_the_scoped_managers() -> None:
    around = {"_base_manager", "_raw_delete", "_raw_query"}
    assert where(lambda node: isinstance(node, ast.Attribute) and node.attr in around) == set()

    bare = where(lambda node: called(node) in ("QuerySet", "models.QuerySet"))
    assert bare == {"cs_platform/rest/viewsets.py"}  # for the description of the API; never asked

    managers = where(lambda node: called(node).endswith("Manager"))
    assert managers == {"cs_platform/tenancy/base.py", "cs_platform/tenancy/models.py"}  # TenantManager, User's


def test_connections_are_chosen_by_name_only_where_migrating_or_checking() -> None:
    chosen = where(lambda node: isinstance(node, ast.Name) and node.id == "connections")
    assert chosen == {
        "cs_platform/tenancy/checks.py",
        "cs_platform/tenancy/management/commands/prepare_database.py",
    }
    assert where(lambda node: isinstance(node, ast.keyword) and node.arg == "using") <= chosen
    assert where(lambda node: isinstance(node, ast.Attribute) and node.attr == "using") == set()


def test_tables_outside_row_level_security_are_asked_for_one_workspace_or_login() -> None:
    unsaid = {
        (name, ast.unparse(statement))
        for name, tree in modules().items()
        for statement in _statements(tree)
        if _asks_globally(statement) and not SAYS_WHOSE.search(ast.unparse(statement))
    }
    assert {found for found in unsaid if found[0] not in ACROSS} == set()


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """The innermost ones: a function or a class is no statement of its own here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            yield node


def _asks_globally(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "objects"
        and isinstance(node.value, ast.Name)
        and node.value.id in GLOBAL_MODELS
        for node in ast.walk(statement)
    )


def test_nothing_is_streamed() -> None:
    """A stream is read when its transaction has ended: one that is needed opens a context of its own."""
    streams = {"StreamingHttpResponse", "FileResponse"}
    assert where(lambda node: isinstance(node, ast.Name) and node.id in streams) == set(STREAMS)


def test_what_a_process_remembers_is_nobodys() -> None:
    remembering = {
        (name, node.name)
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any(re.search(r"\b(lru_)?cache\b", ast.unparse(mark)) for mark in node.decorator_list)
    }
    assert remembering == set(REMEMBERED)


def test_shared_places_are_entered_only_where_keys_carry_the_workspace() -> None:
    def enters(node: ast.AST) -> bool:
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        return any(module == "redis" or module.startswith(("redis.", "django.core.cache")) for module in modules)

    assert where(enters) == set(REDIS)
    assert [path for path in (ROOT / "templates").rglob("*.html") if "{% cache" in path.read_text()] == []


def test_locks_carry_the_workspace() -> None:
    locking = {name for name, tree in modules().items() if any("pg_advisory" in text for text in texts(tree))}
    assert locking == set(LOCKS)


def test_nothing_is_shouted_to_all() -> None:
    """A channel of NOTIFY has one name for everybody."""
    shouting = re.compile(r"\b(NOTIFY|LISTEN)\s+\w+|pg_notify")
    assert {name for name, tree in modules().items() for text in texts(tree) if shouting.search(text)} == set()


def test_threads_are_few_and_explained() -> None:
    threads = {"ThreadPoolExecutor", "Thread", "Timer", "ProcessPoolExecutor"}
    assert where(lambda node: isinstance(node, ast.Name) and node.id in threads) == set(THREADS)


def test_a_task_takes_nothing_or_the_id_of_its_workspace() -> None:
    tasks = {
        (name, node.name): [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any("shared_task" in ast.unparse(mark) for mark in node.decorator_list)
    }
    assert {name.rpartition("/")[2] for name, _ in tasks} == {"tasks.py"}
    assert {task for task, arguments in tasks.items() if arguments[:1] not in ([], ["tenant_id"])} == set()
