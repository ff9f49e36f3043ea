"""Browsers get one stylesheet, and it is what its parts say."""

import re
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.contrib.staticfiles import finders
from pytest_django import Settings

from cs_platform.web.stylesheet import BUNDLE, SOURCE, StylesheetFinder, bundled

CSS = configured.BASE_DIR / "static" / "css"


def test_everything_is_in_it_in_its_layer_and_nothing_is_imported_any_more() -> None:
    found = finders.find(BUNDLE)
    assert isinstance(found, str)
    bundle = Path(found).read_text()

    assert "@import" not in bundle
    assert bundle.index("@layer reset, tokens") < bundle.index("@layer reset {") < bundle.index("@layer utilities {")
    for part in CSS.rglob("*.css"):
        assert part.read_text() in bundle or part == configured.BASE_DIR / "static" / SOURCE, part


def test_a_part_names_its_files_so_that_they_are_found_from_the_bundle_too() -> None:
    """The bundle lies in css/: a path relative to a folder below would lead elsewhere."""
    below = [part for part in CSS.rglob("*.css") if part.parent != CSS]
    assert [part for part in below if re.search(r"url\((?!['\"]?data:)", part.read_text())] == []


def test_a_changed_part_is_served_at_once(tmp_path: Path, settings: Settings) -> None:
    settings.BASE_DIR, settings.BUNDLE_ROOT = tmp_path, tmp_path / "bundled"
    sources = tmp_path / "static" / "css"
    sources.mkdir(parents=True)
    (sources / "app.css").write_text('@layer base;\n@import url("base.css") layer(base);\n@import url("plain.css");\n')
    (sources / "plain.css").write_text("b { top: 0 }\n")
    finder = StylesheetFinder()

    for top in ("0", "1px"):
        (sources / "base.css").write_text(f"a {{ top: {top} }}\n")
        found = Path(str(finder.find(BUNDLE))).read_text()
        assert found == f"@layer base;\n@layer base {{\na {{ top: {top} }}\n}}\nb {{ top: 0 }}\n\n"


def test_an_import_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "app.css").write_text('@import url("gone.css") layer(base);\n')
    with pytest.raises(FileNotFoundError):
        bundled(tmp_path / "app.css")
