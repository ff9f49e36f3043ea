"""House rules of the templates, checked over every file, so that a new page is covered the day it is added."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import get_template

TEMPLATES = settings.BASE_DIR / "templates"
STATIC = settings.BASE_DIR / "static"
FILES = sorted(TEMPLATES.rglob("*.html"))
SPRITE = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (STATIC / "icons.svg").read_text()))
# An inline style may carry numbers into a component (`--p: 60`, `width: 60%`) and nothing else.
NUMBERS_ONLY = re.compile(r"^\s*((--[a-z]+|width|height|left):\s*(\{\{[^}]+\}\}|[\d.]+)%?;?\s*)+$")

every_template = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TEMPLATES)))


@every_template
def test_it_compiles(path: Path) -> None:
    get_template(str(path.relative_to(TEMPLATES)))


@every_template
def test_every_icon_it_names_is_in_the_sprite(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(r'{% icon "([^"]+)"', text)) | set(re.findall(r'<c-[^>]*\bicon="([a-z0-9-]+)"', text))

    assert named <= SPRITE


@every_template
def test_it_has_no_script_of_its_own(path: Path) -> None:
    text = re.sub(r"{[%#].*?[%#]}", "", path.read_text())

    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style\b", text)
    assert not re.search(r"\s(hx-on|on[a-z]+)[:=]", text)
    assert "javascript:" not in text


@every_template
def test_its_inline_styles_carry_numbers_only(path: Path) -> None:
    for style in re.findall(r'\sstyle="([^"]*)"', path.read_text()):
        assert NUMBERS_ONLY.match(style), style


@every_template
def test_it_lets_everything_be_escaped(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"\|safe\b|{% autoescape off", text)
    assert not re.search(r"{{\s*attrs\s*}}", text), "cotton prints attrs unescaped: use {% attributes attrs %}"


@every_template
def test_every_static_file_it_names_exists(path: Path) -> None:
    for name in re.findall(r"{% static '([^']+)' %}", path.read_text()):
        assert finders.find(name), name


def test_every_stylesheet_is_imported_once() -> None:
    imported = re.findall(r'@import url\("([^"]+)"\)', (STATIC / "css" / "app.css").read_text())
    there = [str(path.relative_to(STATIC / "css")) for path in (STATIC / "css").rglob("*.css")]

    assert sorted(imported) == sorted(name for name in there if name != "app.css")


def test_vendored_scripts_point_at_no_file_that_is_not_there() -> None:
    for path in (STATIC / "vendor").glob("*.js"):
        assert "sourceMappingURL" not in path.read_text()
