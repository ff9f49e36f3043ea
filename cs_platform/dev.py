"""bin/dev: databases, web, worker, beat and a mail sink as one program on one machine."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import psycopg2

from cs_platform.dashboard.demo import LOGINS, PASSWORD, WORKSPACE_SLUG
from cs_platform.embedded.external import database_environment, redis_environment, remembered_secret
from cs_platform.embedded.fingerprint import schema_fingerprint
from cs_platform.embedded.homes import check_free_space, claimed, make_directory
from cs_platform.embedded.mail_sink import MailSink
from cs_platform.embedded.postgres import DURABLE, Postgres
from cs_platform.embedded.processes import CannotStart, spawn
from cs_platform.embedded.redis import Redis
from cs_platform.embedded.servers import DATABASE, ROOT, VAR, published
from cs_platform.embedded.supervisor import Part, Supervisor, repeat_lines, say

HOME = VAR / "dev"
READY_SECONDS = 120
GUNICORN = (
    "--worker-class",
    "gthread",
    "--threads",
    "4",
    "--no-control-socket",
    "--graceful-timeout",
    "5",
    "--log-level",
    "warning",
)
WORKER = (
    "--queues",
    "apply,deliver,evaluate,ingest,jobs",
    "--concurrency",
    "2",
    "--loglevel",
    "WARNING",
    "--without-gossip",
)
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    begun = float(os.environ.get("DEV_BEGUN_AT", time.time()))
    make_directory(VAR)
    with claimed(HOME) as ours:
        if not ours:
            raise CannotStart(f"bin/dev already runs in this checkout (process {(HOME / 'lock').read_text()}).")
        check_free_space(HOME)
        _check_port(options.host, options.port)
        with ExitStack() as stack:
            supervisor = stack.enter_context(_supervisor())
            environment = _ground(supervisor, stack, options)
            stack.enter_context(published(HOME, environment))
            _prepare(os.environ | environment, with_demo=not options.no_demo)
            _start_parts(supervisor, os.environ | environment, options)
            _await_health(supervisor, options.port)
            _announce(options.port, time.time() - begun)
            while True:
                supervisor.look()
                time.sleep(0.3)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/dev", description="Run the whole platform on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    parser.add_argument("--no-demo", action="store_true", help="do not load the demo workspace")
    parser.add_argument("--reload", action="store_true", help="debug pages, and a restart of web when code changes")
    return parser.parse_args(arguments)


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} of {host} cannot be used ({error.strerror}): try bin/dev --port {port + 1}."
            ) from error


@contextmanager
def _supervisor() -> Iterator[Supervisor]:
    """The first signal ends everything in order, whatever is being done; further ones change nothing."""
    supervisor = Supervisor()
    for number in ENDINGS:
        signal.signal(number, _interrupt)
    try:
        yield supervisor
    finally:
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        say("ending ...")
        supervisor.end()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _ground(supervisor: Supervisor, stack: ExitStack, options: argparse.Namespace) -> dict[str, str]:
    """Servers, ours or those the environment names, and what every part is told."""
    settings = {
        "SECRET_KEY": remembered_secret(VAR / "secret-key"),
        "BASE_URL": f"http://localhost:{options.port}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]" if options.host == "127.0.0.1" else "*",
        "DEMO": "1",
        "DEBUG": "1" if options.reload else "",
        "SECURE_COOKIES": "",
        "LOG_LEVEL": "WARNING",
        "STATIC_FROM_SOURCE": "1",
        "STATIC_ROOT": str(HOME),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore:You're running the worker",  # in a container, root is nothing to worry about
    }
    return (
        {name: os.environ.get(name, value) for name, value in settings.items()}
        | (database_environment(VAR) or _embedded_postgres(supervisor))
        | (redis_environment() or _embedded_redis(supervisor))
        | ({} if "EMAIL_URL" in os.environ else _mail_sink(stack))
    )


def _embedded_postgres(supervisor: Supervisor) -> dict[str, str]:
    postgres = Postgres(HOME, settings=DURABLE)
    supervisor.add(Part("postgres", postgres.start, postgres.stop, serves_others=True))
    postgres.ensure_roles()
    postgres.ensure_database(DATABASE)
    return postgres.environment(DATABASE)


def _embedded_redis(supervisor: Supervisor) -> dict[str, str]:
    redis = Redis(HOME)
    if redis.is_from_machine:
        say(f"Redis is this machine's {redis.binary}, since no package for this Python carries one.")
    supervisor.add(Part("redis", redis.start, redis.stop, serves_others=True))
    return {"REDIS_URL": redis.url()}


def _mail_sink(stack: ExitStack) -> dict[str, str]:
    sink = MailSink(VAR / "mail")
    sink.start()
    stack.callback(sink.stop)
    return {"EMAIL_URL": sink.url, "MAIL_SINK_DIR": str(sink.directory)}


def _prepare(environment: dict[str, str], *, with_demo: bool) -> None:
    """Each step only when something has changed: a second start takes seconds."""
    owner, app = environment["DATABASE_OWNER_URL"], environment["DATABASE_URL"]
    if _ask(owner, _SCHEMA_STAMP) != schema_fingerprint():
        say("migrating the database ...")
        _manage(environment, "prepare_database", "--verbosity=0")
        _ask(owner, _STAMP_SCHEMA.format(schema_fingerprint()))
    if with_demo and not _ask(app, f"SELECT count(*) FROM tenancy_tenant WHERE slug = '{WORKSPACE_SLUG}'"):
        say("loading the demo workspace ...")
        _manage(environment, "demo")
    _ask(app, "DELETE FROM tenancy_heartbeat")  # signs of life from before say nothing about this start


# The comment belongs to the database, so it cannot outlive it, nor be true of another.
_SCHEMA_STAMP = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
_STAMP_SCHEMA = "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), '{}'); END $$"


def _ask(url: str, sql: str) -> object:
    try:
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            answer = cursor.fetchone()[0] if cursor.description else None
        connection.close()
    except psycopg2.Error as error:
        raise CannotStart(f"The database refused: {str(error).strip().splitlines()[0]}") from error
    return answer


def _manage(environment: dict[str, str], command: str, *arguments: str) -> None:
    process = spawn([sys.executable, ROOT / "manage.py", command, *arguments], env=environment, output=subprocess.PIPE)
    repeat_lines(process, name=command.partition("_")[0][:8])
    if process.wait():
        raise CannotStart(f"manage.py {command} failed; its lines above say why.")


def _start_parts(supervisor: Supervisor, environment: dict[str, str], options: argparse.Namespace) -> None:
    celery = ("-m", "celery", "--quiet", "-A", "cs_platform")
    web = ("--reload", "--workers", "1") if options.reload else ("--preload", "--workers", "2")
    parts = {
        "web": ("-m", "gunicorn", "cs_platform.wsgi", "--bind", f"{options.host}:{options.port}", *web, *GUNICORN),
        "worker": (*celery, "worker", *WORKER),
        "beat": (*celery, "beat", "--loglevel", "WARNING"),
    }
    for name, arguments in parts.items():
        command = [sys.executable, *arguments]
        supervisor.add(Part(name, partial(spawn, command, env=environment, output=subprocess.PIPE)))


def _await_health(supervisor: Supervisor, port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while missing := _missing(port):
        if time.monotonic() > deadline:
            say(f"Not healthy after {READY_SECONDS} seconds: {missing}.")
            return
        supervisor.look()
        time.sleep(0.2)


def _missing(port: int) -> str:
    """Which parts /healthz does not see yet; empty when all is well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=3):
            return ""
    except urllib.error.HTTPError as error:
        return _down(error)
    except OSError:
        return "web"


def _down(answer: urllib.error.HTTPError) -> str:
    try:
        checks = json.load(answer)["checks"]
    except ValueError:
        return f"web (error {answer.code})"
    return ", ".join(name for name, check in checks.items() if not check["ok"])


def _announce(port: int, seconds: float) -> None:
    lines = [f"Ready after {seconds:.0f} s: http://localhost:{port}/", f"Sign in with the password {PASSWORD} as"]
    widest = max(len(login.email) for login in LOGINS)
    lines += [f"    {login.email:{widest}}  {login.name}, {login.role.label}" for login in LOGINS]
    lines += [
        f"Mail the platform sends is kept at http://localhost:{port}/mail-sink/ and goes nowhere.",
        "Ctrl-C ends it.",
    ]
    for line in lines:
        say(line)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CannotStart as refusal:
        sys.exit(str(refusal))
    except KeyboardInterrupt:
        sys.exit(0)
