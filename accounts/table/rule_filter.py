"""`?filter=<rule>`: a rule as one more filter of a table. What is no rule filters nothing, and says why."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from accounts.rules.compile import predicate
from accounts.rules.describe import People, describe
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import Group, Mode, Node, Rule, RuleErrors, dump, parse
from accounts.rules.sql import Clock
from accounts.table.catalogue import Catalogue
from accounts.table.columns import Choice, Facet
from accounts.table.state import TableState

PARAMETER = "filter"
MAX_LENGTH = 60_000
NO_JSON = "It is no rule in JSON."
SHOWN_PROBLEMS = 3


@dataclass(frozen=True, slots=True)
class RuleChip:
    sentence: str
    remove: str


@dataclass(frozen=True, slots=True)
class RuleFilter:
    """`text` as the address has it; `problems` say why it is ignored."""

    text: str = ""
    rule: Rule | None = None
    people: People = field(default_factory=dict)
    problems: Sequence[str] = ()

    @classmethod
    def read(
        cls, params: Mapping[str, Any], *, fields: FieldSet, people: People, subject: Subject = Subject.ACCOUNT
    ) -> "RuleFilter":
        text = params.get(PARAMETER, "")
        try:
            rule = parse(_json(text), fields=fields, subject=subject, path=PARAMETER)
        except RuleErrors as wrong:
            said = [error.message for error in wrong.errors[:SHOWN_PROBLEMS]]
            return cls(text, problems=list(dict.fromkeys(said)))
        except (ValueError, RecursionError):
            return cls(text, problems=[NO_JSON])
        return cls(text, rule, people)

    def among(self, catalogue: Catalogue, *, tenant_id: int, clock: Clock) -> Catalogue:
        """The catalogue with this rule as one more filter, which everything made of filters then knows."""
        if self.rule is None:
            return catalogue
        where = predicate(self.rule, tenant_id=tenant_id, clock=clock)
        choice = Choice(self.text, describe(self.rule, people=self.people), where)
        tied = self.rule.subject is Subject.USER
        facet = Facet(PARAMETER, "Rule", "list-filter", lambda: (choice,), listed=False, tied=tied)
        return replace(catalogue, facets=[*catalogue.facets, facet])

    def chips(self, state: TableState) -> list[RuleChip]:
        """One per condition that must hold; else the rule as a whole."""
        if self.rule is None:
            return []
        return [
            RuleChip(describe(part, people=self.people), state.address(filter=compact(rest)))
            for part, rest in _parts(self.rule.root)
        ]


def compact(node: Node | None) -> str | None:
    """As it stands in an address."""
    return None if node is None else json.dumps(dump(node), ensure_ascii=False, separators=(",", ":"))


def _parts(root: Node) -> list[tuple[Node, Node | None]]:
    """What one chip says, and the rule without it."""
    if not isinstance(root, Group) or root.mode is Mode.ANY or len(root.children) == 1:
        return [(root, None)]
    return [
        (child, Group(Mode.ALL, root.children[:at] + root.children[at + 1 :])) for at, child in enumerate(root.children)
    ]


def _json(text: str) -> Any:
    if len(text) > MAX_LENGTH:
        raise ValueError("Longer than any rule.")
    return json.loads(text)
