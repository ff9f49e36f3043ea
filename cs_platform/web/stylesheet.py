"""One stylesheet for the browser: `css/bundle.css` is `css/app.css` with all that it imports in its place.

Dozens of files, asked for one by one, would be most of what a first visit waits for.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

SOURCE, BUNDLE = "css/app.css", "css/bundle.css"
_IMPORT = re.compile(r'^@import url\("(?P<file>[\w./-]+)"\)(?: layer\((?P<layer>\w+)\))?;$', re.MULTILINE)


def bundled(source: Path) -> str:
    """Raises FileNotFoundError for an import that leads nowhere."""

    def imported(found: re.Match[str]) -> str:
        text = (source.parent / found["file"]).read_text()
        return f"@layer {found['layer']} {{\n{text}}}" if found["layer"] else text

    return _IMPORT.sub(imported, source.read_text())


class StylesheetFinder(BaseFinder):
    """Finds the bundle, made anew whenever one of its sources has changed."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self.storage = FileSystemStorage(location=settings.BUNDLE_ROOT)

    def find(self, path: str, find_all: bool = False, **_kwargs: Any) -> Any:
        found = [self._fresh()] if path == BUNDLE else []
        return found if find_all or not found else found[0]

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        self._fresh()
        yield BUNDLE, self.storage

    def _fresh(self) -> str:
        """Replaced in one step: several processes may serve it."""
        text, bundle = bundled(settings.BASE_DIR / "static" / SOURCE), Path(self.storage.path(BUNDLE))
        if not bundle.exists() or bundle.read_text() != text:
            bundle.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile("w", dir=bundle.parent, delete=False) as draft:
                draft.write(text)
            os.chmod(draft.name, 0o644)
            os.replace(draft.name, bundle)
        return str(bundle)
