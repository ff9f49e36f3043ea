"""Fingerprints of files: what was prepared from the same ones need not be prepared again."""

import hashlib

from .servers import ROOT

# What decides the schema and its grants. Third-party migrations come with their pinned versions.
SCHEMA = (
    "*/migrations/*.py",
    "*/*/migrations/*.py",
    "*/models.py",
    "*/models/*.py",
    "*/*/models.py",
    "cs_platform/tenancy/**/*.py",
    "requirements/base.txt",
)
STATIC = ("static/**/*", "requirements/base.txt", "cs_platform/settings.py")


def schema_fingerprint() -> str:
    return _fingerprint(SCHEMA)


def static_fingerprint() -> str:
    return _fingerprint(STATIC)


def _fingerprint(patterns: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern)}):
        if path.is_file() and ".venv" not in path.parts:
            digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
