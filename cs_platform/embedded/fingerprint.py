"""A fingerprint of what makes the schema: a database prepared from the same files need not be prepared again."""

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


def schema_fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SCHEMA for path in ROOT.glob(pattern)}):
        if ".venv" not in path.parts:
            digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
