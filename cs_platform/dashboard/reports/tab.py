"""What a tab of the reports is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.files import File
from cs_platform.web.pages import WorkspaceRequest


@dataclass(frozen=True, slots=True)
class Tab:
    """`context` is what the template gets beside the head's; too long a sum may leave it early (accounts.matching)."""

    key: str
    title: str
    template: str
    context: Callable[[WorkspaceRequest, Asked], Mapping[str, Any]]
    files: Sequence[File]
