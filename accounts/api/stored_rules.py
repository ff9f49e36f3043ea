"""Rules inside the bodies of what keeps one: read against the workspace's fields, each fault with its place."""

from collections.abc import Mapping
from typing import Any

from accounts.fields import workspace_fields
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import Rule, RuleErrors, parse
from cs_platform.rest.problems import Fault, Invalid, pointer_of_path


def read_rule(data: Any, *, subject: Subject, at: str, fields: FieldSet | None = None) -> Rule | None:
    """`at` is the dotted path of the rule in the body. Raises Invalid."""
    if data is None:
        return None
    try:
        return parse(data, fields=fields or workspace_fields(), subject=subject, path=at)
    except RuleErrors as errors:
        faults = [Fault(pointer_of_path(error.path), error.message) for error in errors.errors]
        raise Invalid("This rule cannot be asked.", code="invalid_rule", faults=faults) from None


def refused(field: str, message: str) -> Invalid:
    """What a verb says of one part of the body, or of the whole."""
    return Invalid(message, faults=[Fault(f"/{field}", message)] if field else [])


def changed(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A PATCH: what is left out stays."""
    return {**stored, **given}
