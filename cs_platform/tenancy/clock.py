"""The one clock: PostgreSQL's. The edge reads it once per request or tick and passes it down."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The statement's start, so that two reads in one transaction differ and long transactions do not lag."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        return cursor.fetchone()[0]
