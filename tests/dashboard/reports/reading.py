"""A file as its rows."""

import csv
import io

from django.http import HttpResponse


def rows(response: HttpResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode())))
