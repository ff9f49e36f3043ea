"""A container's own health: python docker/healthy.py web|worker|beat; /healthz of web answers for all three."""

import json
import os
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit


def main(part: str) -> None:
    address = f"http://{os.environ.get('WEB_ADDRESS', 'web:8000')}/healthz"
    headers = {"Host": urlsplit(os.environ["BASE_URL"]).netloc, "X-Forwarded-Proto": "https"}
    checks = json.loads(answer(urllib.request.Request(address, headers=headers)))["checks"]
    sys.exit(part != "web" and not checks[part]["ok"])


def answer(request: urllib.request.Request) -> bytes:
    """Also a 503 is an answer: then web is well and something else is not."""
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.read()
    except urllib.error.HTTPError as error:
        return error.read()


if __name__ == "__main__":
    main(sys.argv[1])
