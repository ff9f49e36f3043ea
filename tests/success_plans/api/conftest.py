from tests.rest.conftest import api, api_with, full_buckets, halyard, orbiton

__all__ = ["api", "api_with", "full_buckets", "halyard", "orbiton"]
