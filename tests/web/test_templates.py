"""House rules of the templates, checked over every file, so that a new page is covered the day it is added."""

import re
from collections.abc import Callable
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
def test_it_keeps_the_house_rules(path: Path) -> None:
    get_template(str(path.relative_to(TEMPLATES)))
    text = path.read_text()
    broken = [said for said, is_kept in RULES.items() if not is_kept(text)]

    assert broken == []


def names_known_icons(text: str) -> bool:
    named = set(re.findall(r'{% icon "([^"]+)"', text)) | set(re.findall(r'<c-[^>]*\bicon="([a-z0-9-]+)"', text))
    return named <= SPRITE


def has_no_script_of_its_own(text: str) -> bool:
    text = re.sub(r"{[%#].*?[%#]}", "", text)
    own = (r"<script(?![^>]*\bsrc=)", r"<style\b", r"\s(hx-on|on[a-z]+)[:=]", "javascript:")
    return not any(re.search(one, text) for one in own)


def has_only_numbers_in_styles(text: str) -> bool:
    return all(map(NUMBERS_ONLY.match, re.findall(r'\sstyle="([^"]*)"', text)))


def lets_everything_be_escaped(text: str) -> bool:
    """Cotton prints attrs unescaped."""
    return not re.search(r"\|safe\b|{% autoescape off|{{\s*attrs\s*}}", text)


def names_static_files_that_exist(text: str) -> bool:
    return all(map(finders.find, re.findall(r"{% static '([^']+)' %}", text)))


RULES: dict[str, Callable[[str], bool]] = {
    "every icon it names is in the sprite": names_known_icons,
    "no script, no handler and no style element of its own": has_no_script_of_its_own,
    "an inline style carries numbers only": has_only_numbers_in_styles,
    "nothing is left unescaped: no |safe, and {% attributes attrs %} for attrs": lets_everything_be_escaped,
    "every static file it names exists": names_static_files_that_exist,
}
BROKEN = {
    names_known_icons: ['{% icon "no-such-icon" %}', '<c-empty icon="no-such-icon" />'],
    has_no_script_of_its_own: ["<script>", "<style>", '<p onclick="">', "<p hx-on:click=''>", "javascript:1"],
    has_only_numbers_in_styles: ['<p style="color: red">'],
    lets_everything_be_escaped: ["{{ name|safe }}", "{% autoescape off %}", "<p {{ attrs }}>"],
    names_static_files_that_exist: ["{% static 'css/none.css' %}"],
}


def test_a_broken_house_rule_is_seen() -> None:
    assert set(BROKEN) == set(RULES.values())
    assert [text for rule, texts in BROKEN.items() for text in texts if rule(text)] == []


def test_every_stylesheet_is_imported_once() -> None:
    imported = re.findall(r'@import url\("([^"]+)"\)', (STATIC / "css" / "app.css").read_text())
    there = [str(path.relative_to(STATIC / "css")) for path in (STATIC / "css").rglob("*.css")]

    assert sorted(imported) == sorted(name for name in there if name != "app.css")


def test_vendored_scripts_point_at_no_file_that_is_not_there() -> None:
    for path in (STATIC / "vendor").glob("*.js"):
        assert "sourceMappingURL" not in path.read_text()
