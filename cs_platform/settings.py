"""Settings for every environment; what differs comes from environment variables (docs/operators.md lists them)."""

from pathlib import Path

import environ
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("DEMO", default=False)  # shows the demo logins on the sign-in page and the mail sink in the app
SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
BASE_URL = env.str("BASE_URL", default="http://localhost:8000")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_cotton.apps.SimpleAppConfig",
    "django_htmx",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "cs_platform.tenancy",
    "cs_platform.web",
    "cs_platform.rest",
    "cs_platform.connectors",
    "cs_platform.workspace",
    "cs_platform.jobs",
    "cs_platform.dashboard",
    "accounts",
    "ctas",
    "success_plans",
    "actions",
    "playbooks",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "cs_platform.rest.middleware.ApiMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "cs_platform.web.middleware.headers",
    "cs_platform.web.middleware.refused_in_words",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "cs_platform.web.middleware.htmx_sign_in",
    "cs_platform.tenancy.middleware.WorkspaceMiddleware",
    "cs_platform.web.middleware.workspace_zone",
]

ROOT_URLCONF = "cs_platform.urls"
WSGI_APPLICATION = "cs_platform.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django_cotton.cotton_loader.Loader",
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "builtins": [
                "django_cotton.templatetags.cotton",
                "django.templatetags.static",
                "cs_platform.web.templatetags.ui",
                "ctas.templatetags.cta_lists",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "cs_platform.web.context.clock",
                "cs_platform.web.context.abilities",
                "cs_platform.web.context.views",
                "cs_platform.web.context.sidebar",
            ],
        },
    }
]
# A component sees its attributes and the context processors, never the variables of the page around it.
COTTON_ISOLATE_BY_DEFAULT = True

# `default` is the application role: no owner, no superuser, no BYPASSRLS. `owner` only migrates (docs/operators.md).
DATABASES = {
    "default": env.db_url("DATABASE_URL"),
    "owner": env.db_url("DATABASE_OWNER_URL", default=env.str("DATABASE_URL")),
}
for _database in DATABASES.values():
    _database |= {"ATOMIC_REQUESTS": False, "CONN_HEALTH_CHECKS": True, "DISABLE_SERVER_SIDE_CURSORS": True}
DATABASES["default"] |= {
    "CONN_MAX_AGE": 60,
    "OPTIONS": DATABASES["default"].get("OPTIONS", {})
    | {
        "options": "-c statement_timeout=60000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000"
        " -c jit=off -c work_mem=128MB -c client_connection_check_interval=5s -c random_page_cost=1.1"
    },
}
DATABASE_ROUTERS: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")
CACHES = {
    "default": {
        "BACKEND": "cs_platform.common.calm_cache.CalmCache",
        "LOCATION": env.str("REDIS_CACHE_URL", default=REDIS_URL),
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 1},
    }
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_TASK_TIME_LIMIT = 90
# A large workspace's first evaluation takes minutes. It is not kept for another worker meanwhile: an evaluation that
# dies leaves no row, its workspace stays due, and the next tick finds it.
CELERY_TASK_ANNOTATIONS = {
    "playbooks.tasks.evaluate_due_workspaces": {
        "soft_time_limit": 1200,
        "time_limit": 1260,
        "acks_late": False,
        "reject_on_worker_lost": False,
    },
    # A job's step may rewrite all accounts of a workspace (accounts/trait_jobs.py).
    "cs_platform.jobs.tasks.run_due_jobs": {"soft_time_limit": 1200, "time_limit": 1260},
}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": 2,
    "socket_connect_timeout": 1,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
CELERY_VISIBILITY_TIMEOUT = 300
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
# What runs may end without the broker: rows are fenced, and a mail cut off in the middle is an uncertain one.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "cs_platform.beat:Ticker"
CELERY_TASK_DEFAULT_QUEUE = "apply"
CELERY_TASK_ROUTES = {
    "playbooks.tasks.evaluate_due_workspaces": {"queue": "evaluate"},
    "playbooks.tasks.deliver_due_runs": {"queue": "deliver"},
    "accounts.tasks.take_in_received_calls": {"queue": "ingest"},
    "accounts.tasks.forget_what_is_old": {"queue": "ingest"},
    "cs_platform.jobs.tasks.run_due_jobs": {"queue": "jobs"},
    "cs_platform.workspace.tasks.run_due_errands": {"queue": "jobs"},
}
# A batch belongs to one worker for this long; nobody else may touch it before (TRUST: F2, F5).
LEASE_SECONDS = env.int("LEASE_SECONDS", default=60)
PUMP_SECONDS = env.float("PUMP_SECONDS", default=10)

AUTH_USER_MODEL = "tenancy.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_ADAPTER = "cs_platform.tenancy.login.LoginAdapter"
MFA_ADAPTER = "cs_platform.tenancy.login.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]

SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SECURE = env.bool("SECURE_COOKIES", default=not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrf"
SECURE_HSTS_SECONDS = 31536000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", default=False) else None
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "style-src-attr": ["'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        # The older name is what Firefox knows; report-to names the endpoint of the header that web/middleware.py sends.
        "report-uri": "/csp-report/",
        "report-to": "csp",
    }
}

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
vars().update(env.email_url("EMAIL_URL", default="smtp://localhost:1025"))
EMAIL_TIMEOUT = 15

# host:port to which connectors may speak although they are inside and plain: tests, and hooks of one's own network.
OUTBOUND_TRUSTED = env.list("OUTBOUND_TRUSTED", default=[])
# id:base64 of 32 bytes, the present one first; without any, one is derived from SECRET_KEY.
# Google's client for the mailboxes of team members; without one, nobody can connect a mailbox.
GOOGLE_CLIENT_ID = env.str("GOOGLE_CLIENT_ID", default="")
GOOGLE_CLIENT_SECRET = env.str("GOOGLE_CLIENT_SECRET", default="")
GOOGLE_CONSENT_URL = "https://accounts.google.com/o/oauth2/v2/auth"
GOOGLE_TOKEN_URL = env.str("GOOGLE_TOKEN_URL", default="https://oauth2.googleapis.com/token")
GMAIL_URL = env.str("GMAIL_URL", default="https://gmail.googleapis.com")
INTERCOM_URL = "https://api.intercom.io"
CONNECTOR_KEYS = env.list("CONNECTOR_KEYS", default=[])
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="CS Platform <no-reply@localhost>")
MAIL_SINK_DIR = env.str("MAIL_SINK_DIR", default="")

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "var" / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "cs_platform.web.stylesheet.StylesheetFinder",
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
]
BUNDLE_ROOT = Path(STATIC_ROOT).with_name("bundled")
STATIC_FROM_SOURCE = env.bool("STATIC_FROM_SOURCE", default=False)  # serve them as they stand, nothing collected
WHITENOISE_USE_FINDERS = STATIC_FROM_SOURCE
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG or STATIC_FROM_SOURCE
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["cs_platform.rest.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["cs_platform.rest.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["cs_platform.rest.json.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "cs_platform.rest.pagination.CursorPages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "cs_platform.rest.problems.problem_response",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "NUM_PROXIES": ALLAUTH_TRUSTED_PROXY_COUNT,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "CS Platform API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "PlaybooksThereEnum": "accounts.archiving.PLAYBOOKS_THERE",
        "PassedEnum": "playbooks.api.serializers.PASSED",
        "ViewIconEnum": "cs_platform.rest.saved_views.PICTURES",
        "ConnectorStateEnum": "cs_platform.connectors.models.Connector.State",
        "MailboxStateEnum": "cs_platform.connectors.models.Mailbox.State",
        "TraitTypeEnum": "accounts.models.traits.TraitType",
        "RequirableEnum": "ctas.api.serializers.REQUIRED",
        "CtaStatusEnum": "ctas.models.Cta.Status",
        "CtaOutcomeEnum": "success_plans.api.serializers.OUTCOMES",
        "PlanStatusEnum": "success_plans.models.SuccessPlan.Status",
        "PlanFieldKindEnum": "success_plans.custom_fields.KINDS",
        "TaskStatusEnum": "ctas.models.Task.Status",
        "LifecycleEnum": "accounts.models.account.Lifecycle",
        "PlaybookAudienceEnum": "playbooks.models.Playbook.Audience",
        "RuleAudienceEnum": "accounts.api.rules.AUDIENCES",
        "PlaybookStatusEnum": "playbooks.models.Playbook.Status",
        "EnrollmentStateEnum": "playbooks.models.Enrollment.State",
        "RunStateEnum": "playbooks.models.ActionRun.State",
        "EvaluationStateEnum": "playbooks.models.Evaluation.State",
        "ConversationStateEnum": "accounts.models.Conversation.State",
        "RowScopeEnum": "accounts.models.CsvImport.Scope",
        "TraitScopeEnum": "accounts.models.TraitDefinition.Scope",
        "CsvImportStateEnum": "accounts.models.CsvImport.State",
        "JobStateEnum": "cs_platform.jobs.models.Job.State",
        "AttachmentStateEnum": "cs_platform.workspace.models.Attachment.State",
        "KindEnum": "accounts.models.Indicator.Kind",
        "NotificationKindEnum": "cs_platform.workspace.models.Notification.Kind",
        "IndicatorStateEnum": "accounts.models.Indicator.State",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "cs_platform.rest.openapi.complete"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# What upper layers offer to the pages and rules of lower ones: dotted paths (docs/architecture.md, "sources").
RULE_FIELD_SOURCES = ["playbooks.fields.PlaybookFields", "ctas.fields.CtaFields", "success_plans.fields.PlanFields"]
USER_COLUMN_SOURCES = ["playbooks.columns.UserPlaybookColumns"]
TABLE_COLUMN_SOURCES = [
    "playbooks.columns.PlaybookColumns",
    "ctas.columns.CtaColumns",
    "success_plans.columns.PlanColumns",
]
# Pages whose lists can be kept as saved views, by their names there.
PAGES_WITH_VIEWS = {
    "accounts": "accounts:list",
    "users": "users:list",
    "cockpit": "ctas:cockpit",
    "plans": "plans:list",
}
# Who knows how many things a saved view of each finds (cs_platform/workspace/view_counts.py).
VIEW_COUNTERS = {
    "accounts": "accounts.table.view_counts.AccountViews",
    "users": "accounts.table.view_counts.UserViews",
    "cockpit": "ctas.view_counts.CockpitViews",
    "plans": "success_plans.view_counts.PlanViews",
}
ACCOUNT_PANELS = [
    "playbooks.panels.PlaybooksPanel",
    "ctas.panels.CtasPanel",
    "success_plans.panels.PlansPanel",
    "accounts.nps_panel.NpsPanel",
]
CTA_DRAWER_PARTS = ["playbooks.panels.OpenedBy", "playbooks.panels.OnCta", "success_plans.panels.PlanOfCta"]
LETTER_TEXTS = "actions.letter_texts.fill_in"
CTA_PLAYBOOKS = "playbooks.offers.TaskLists"
CTA_PLANS = "success_plans.grouping.PlansOfCtas"
# Names of those who act and are no team members.
ACTOR_SOURCES = [
    "playbooks.actors.PlaybookActors",
    "accounts.api.actors.KeyActors",
    "accounts.bulk.actors.JobActors",
    "success_plans.guests.Stakeholders",
]
# Who inherits what somebody below them is taken back from (accounts/heirs.py).
HEIRS = ["accounts.bulk.heirs.BulkEdits", "accounts.csv_import.heirs.Imports", "playbooks.heirs.Runs"]
# What goes on with accounts and users that somebody archives (accounts/archiving.py).
UNDER_WAY = ["playbooks.under_way.Enrollments"]
# Names of those who write comments and are neither team members nor keys.
COMMENTERS = ["success_plans.guests.Stakeholders", "playbooks.actors.PlaybookActors"]
# What mails of upper layers say, by their kind (cs_platform/workspace/letters.py).
LETTER_SOURCES = {"guest": "success_plans.guests.letter_of"}
# What can be done as a long job (cs_platform/jobs/kinds.py).
JOB_KINDS = [
    "accounts.bulk.kind.BulkEdit",
    "accounts.bulk.kind.BulkEditUsers",
    "ctas.bulk.kind.BulkEditCtas",
    "ctas.bulk.kind.BulkEditTasks",
    "accounts.exports.ExportAccounts",
    "accounts.exports.ExportUsers",
    "accounts.trait_jobs.CheckType",
    "accounts.trait_jobs.ChangeType",
    "accounts.trait_jobs.MakeFast",
    "accounts.trait_jobs.FeedField",
    "accounts.csv_import.running.CheckImport",
    "accounts.csv_import.running.RunImport",
    "playbooks.dry_runs.EndDryRun",
    "playbooks.moving.MoveVersion",
    "playbooks.on_enrollments.BulkEditEnrollments",
    "playbooks.pausing.ResumePlaybook",
    "playbooks.rezoning.FollowZones",
    "playbooks.stop_jobs.StopPlaybook",
]
# What can be done to many accounts at once (accounts/bulk/verbs.py).
BULK_VERBS = [
    "accounts.bulk.assign.Assign",
    "accounts.bulk.set_trait.SetTrait",
    "accounts.bulk.segments.AddToSegment",
    "accounts.bulk.segments.RemoveFromSegment",
    "playbooks.bulk.ApplyPlaybook",
    "playbooks.bulk.StopPlaybook",
    "ctas.bulk.opening.OpenCtas",
    "accounts.bulk.archive.Archive",
    "accounts.bulk.archive.Restore",
]
# What stands in the daily mail beside notifications (cs_platform/workspace/letters.py).
DIGEST_SOURCES = ["ctas.digest.DueWork", "success_plans.digest.DuePlans"]
# What people are told of beside what others do (cs_platform/workspace/errands.py).
NOTICE_SOURCES = [
    "playbooks.notices.HeldEvaluations",
    "playbooks.notices.FailedActions",
    "playbooks.notices.ActionsToApprove",
]
# Who hands over what when somebody leaves (cs_platform/workspace/handover.py).
WORK_SOURCES = ["accounts.handover.Accounts", "ctas.handover.OpenWork", "success_plans.handover.LedPlans"]
# What waits for a member, counted in the sidebar (cs_platform/web/tally.py).
TALLIES = ["ctas.home.OpenCtas", "playbooks.home.Drafts"]
# The cards of the home page, in this order (cs_platform/web/home.py).
HOME_PANELS = [
    "ctas.home.Today",
    "playbooks.home.Renewals",
    "playbooks.home.Conversations",
    "accounts.home.Health",
    "playbooks.home.Activity",
]
# Who is found by Quick Jump (cs_platform/web/jump.py), in this order.
JUMP_SOURCES = [
    "accounts.jump.Accounts",
    "accounts.jump.Users",
    "ctas.jump.Ctas",
    "success_plans.jump.Plans",
    "playbooks.jump.Playbooks",
    "cs_platform.web.jump.Views",
    "cs_platform.dashboard.jump.Settings",
    "cs_platform.dashboard.jump.Commands",
]
# What comments and files may be about, by the first part of "cta:9".
SUBJECTS = {
    "cta": "ctas.Cta",
    "indicator": "accounts.Indicator",
    "note": "accounts.Note",
    "plan": "success_plans.SuccessPlan",
    "shared": "success_plans.SuccessPlan",
}
# Looks into files before anybody gets them: a class with `scan` (cs_platform/workspace/attachments.py).
ATTACHMENT_SCANNER = env.str("ATTACHMENT_SCANNER", default="")
USER_BULK_VERBS = [
    "accounts.bulk.set_trait.SetUserTrait",
    "accounts.bulk.segments.AddUsersToSegment",
    "accounts.bulk.segments.RemoveUsersFromSegment",
    "playbooks.bulk.ApplyUserPlaybook",
    "playbooks.bulk.StopUserPlaybook",
    "accounts.bulk.archive.ArchiveUsers",
    "accounts.bulk.archive.RestoreUsers",
]
# What can be done to many CTAs at once (ctas/bulk/verbs.py).
CTA_BULK_VERBS = [
    "ctas.bulk.verbs.Assign",
    "ctas.bulk.verbs.SetDue",
    "ctas.bulk.verbs.ShiftDue",
    "ctas.bulk.verbs.SetStatus",
    "ctas.bulk.verbs.SetPriority",
    "ctas.bulk.verbs.Snooze",
    "playbooks.bulk.ApplyToCtas",
    "ctas.bulk.verbs.Archive",
]
# What is asked beside a new CTA (ctas/panels.py).
NEW_CTA_PARTS = ["success_plans.panels.PlanOfNewCta", "playbooks.panels.PlaybookOfNewCta"]
# `?history=31` opens this drawer beside any page that has one.
DRAWERS = {
    "history": "playbooks.views.history.drawer",
    "cta": "ctas.views.drawer.drawer",
    "indicator": "accounts.views.indicators.drawer",
    "changes": "accounts.views.changes.account_drawer",
    "user_changes": "accounts.views.changes.user_drawer",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {"django.server": {"level": "WARNING"}},
}
