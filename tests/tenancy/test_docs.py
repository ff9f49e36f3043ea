"""docs/security.md says what the code says."""

import re

from django.conf import settings

from cs_platform.tenancy.checks import OUTSIDE
from cs_platform.tenancy.roles import MATRIX, Role

PAGE = (settings.BASE_DIR / "docs" / "security.md").read_text()


def test_the_role_matrix_is_the_one_in_force() -> None:
    head, _, *lines = _section("## Roles").strip().partition("\n\n")[0].splitlines()
    roles = [Role(name) for name in _cells(head)[1:]]
    documented = {
        _cells(line)[0].strip("`"): {role for role, may in zip(roles, _cells(line)[1:], strict=True) if may}
        for line in lines
    }
    assert documented == {ability.value: set(allowed) for ability, allowed in MATRIX.items()}


def test_the_tables_outside_row_level_security_are_those_of_the_check() -> None:
    rows = [line for line in _section("### Tables outside").splitlines() if line.startswith("| `")]
    assert {table for row in rows for table in re.findall(r"`(\w+)`", _cells(row)[0])} == OUTSIDE


def test_every_test_it_names_exists() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    named |= {f"tests/tenancy/{name}" for name in re.findall(r"`(test_\w+\.py)`", PAGE)}
    assert [name for name in named if not (settings.BASE_DIR / name).exists()] == []


def _section(title: str) -> str:
    return re.split(r"\n#+ ", PAGE.partition(f"{title}\n")[2])[0]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]
