"""A worker's statements are served by one process each: beside it other workers are at work, for other workspaces."""

from django.db import connection

_ALONE = " -c max_parallel_workers_per_gather=0"


def serve_alone() -> None:
    """For all connections this process and its children will open. Call it before they open one."""
    options = connection.settings_dict["OPTIONS"]
    if not options.get("options", "").endswith(_ALONE):
        options["options"] = options.get("options", "") + _ALONE
