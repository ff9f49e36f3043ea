"""A rule as it stands in the editor, finished or not: read from a form, changed by its buttons, and made into JSON."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

from accounts.rule_editor.typing import texts_of, typed
from accounts.rules.fields import Field, FieldSet, FieldType, Subject
from accounts.rules.grammar import MAX_DEPTH, MAX_NODES, MAX_TEXT, RuleError, storable
from accounts.rules.operators import operators_for

ROOT = "rules"  # where the paths of errors begin
FULL = f"A rule can hold {MAX_NODES} groups and conditions. Remove some, or keep them in a segment."
TOO_DEEP = f"Groups can be nested {MAX_DEPTH} deep. Move these conditions one level up."
OPPOSITE = {"all": "any", "any": "all"}

Path = tuple[int, ...]
_PART = re.compile(r"(?:(\d{1,3}(?:\.\d{1,3})*):)?(mode|field|op|value|days)")
_IN_GROUPS = re.compile(r"\.(?:all|any)\[(\d+)\]")


@dataclass(slots=True)
class Condition:
    field: str = ""
    op: str = ""
    values: list[str] = attribute(default_factory=list)
    days: str = ""


@dataclass(slots=True)
class Branch:
    mode: str = "all"
    children: list["Item"] = attribute(default_factory=list)


Item = Condition | Branch


@dataclass(slots=True)
class Draft:
    """`picking`: the condition whose field is being chosen. `lone`: stored as one condition, without a group."""

    root: Branch = attribute(default_factory=Branch)
    lone: bool = False
    picking: Path | None = None
    search: str = ""
    focus: tuple[str, Path] | None = None  # the control that the keyboard goes on from: its kind, and where
    refusal: str = ""
    editing: bool = False  # one of the editor's own buttons was pressed, so nothing is judged yet
    posted: bool = False

    @property
    def is_searching(self) -> bool:
        """Looking through the fields changes nothing yet."""
        return self.picking is not None and not self.editing

    @property
    def is_empty(self) -> bool:
        return not self.root.children

    def at(self, path: Path) -> Item | None:
        found: Item | None = self.root
        for step in path:
            inside = isinstance(found, Branch) and step < len(found.children)
            found = found.children[step] if inside else None  # type: ignore[union-attr]
        return found

    def conditions(self) -> list[Path]:
        """Where each condition stands that has a field, in reading order."""
        return [path for path, item in _placed(self.root, ()) if isinstance(item, Condition) and item.field]

    def begun(self) -> "Draft":
        """Without what was only just added: a preview goes on showing who the rest is about."""
        root = _begun(self.root)
        return replace(self, root=root if isinstance(root, Branch) else Branch())

    def count(self) -> int:
        return sum(1 for _ in _placed(self.root, ()))


def _placed(item: Item, path: Path) -> Iterator[tuple[Path, Item]]:
    yield path, item
    for at, child in enumerate(item.children) if isinstance(item, Branch) else ():
        yield from _placed(child, (*path, at))


def _begun(item: Item) -> Item | None:
    if isinstance(item, Condition):
        return item if item.field else None
    children = [found for child in item.children if (found := _begun(child))]
    return Branch(item.mode, children) if children else None


def dotted(path: Path) -> str:
    return ".".join(map(str, path))


def place_of(error: RuleError) -> Path:
    """Of the condition or group that an error is about."""
    return tuple(int(step) for step in _IN_GROUPS.findall(error.path))


def known(fields: FieldSet, subject: Subject, key: str) -> Field | None:
    return fields.find(subject, key) if key and len(key) <= MAX_TEXT and storable(key) else None


# From a form ---------------------------------------------------------------------------------------------------------

Parts = dict[Path, dict[str, list[str]]]


def draft_posted(data: Mapping[str, Any], name: str) -> Draft:
    """What a form holds under this name, with the change of the button that was pressed."""
    parts, is_deep = _parts(data, name)
    root = _item((), parts, _below(parts))
    draft = Draft(root if isinstance(root, Branch) else Branch(), posted=True)
    draft.refusal = TOO_DEEP if is_deep else ""
    draft.lone = bool(data.get(f"{name}:lone"))
    draft.search = str(data.get(f"{name}:search") or "")[:100]
    draft.picking = _path(str(data.get(f"{name}:picking") or "-"))
    command = data.get(f"{name}:edit")
    if command:
        draft.editing = True
        change(draft, str(command))
    return draft


def _parts(data: Mapping[str, Any], name: str) -> tuple[Parts, bool]:
    found: Parts = {}
    is_deep = False
    for key in data:
        match = _PART.fullmatch(key[len(name) + 1 :]) if key.startswith(f"{name}:") and len(key) < 200 else None
        path = _path(match[1] or "") if match else None
        if match and path is not None and len(path) <= MAX_DEPTH + 1:
            found.setdefault(path, {})[match[2]] = _all(data, key)
        is_deep = is_deep or bool(path is not None and len(path) > MAX_DEPTH + 1)
    return found, is_deep


def _all(data: Mapping[str, Any], key: str) -> list[str]:
    found = data.getlist(key) if hasattr(data, "getlist") else data[key]
    return [str(one) for one in (found if isinstance(found, list | tuple) else [found])]


def _below(parts: Parts) -> dict[Path, list[Path]]:
    """Every group's members, groups that only their members speak of included."""
    known = {path[:length] for path in parts for length in range(len(path) + 1)}
    below: dict[Path, list[Path]] = {}
    for path in sorted(known - {()}):
        below.setdefault(path[:-1], []).append(path)
    return below


def _item(path: Path, parts: Parts, below: Mapping[Path, list[Path]]) -> Item:
    own = parts.get(path, {})
    if path in below or "mode" in own or not path:
        mode = own.get("mode", ["all"])[-1]
        return Branch(
            mode if mode in OPPOSITE else "all", [_item(child, parts, below) for child in below.get(path, ())]
        )
    texts = {part: own.get(part, [""])[-1] for part in ("field", "op", "days")}
    return Condition(**texts, values=own.get("value", []))


def _path(text: str) -> Path | None:
    """None for what is no path."""
    steps = text.split(".") if text else []
    return (
        tuple(map(int, steps)) if all(step.isascii() and step.isdecimal() and len(step) < 4 for step in steps) else None
    )


# The editor's buttons ------------------------------------------------------------------------------------------------


def change(draft: Draft, command: str) -> None:
    """One press: a verb, the path it is about, and for `field` the key. What is not there any more is let be."""
    verb, _, rest = command.partition(" ")
    where, _, key = rest.partition(" ")
    path = _path(where)
    draft.picking = None
    if path is None or draft.at(path) is None or verb not in _VERBS:
        return
    if verb not in ("pick", "field"):
        draft.search = ""
    _VERBS[verb](draft, path, key)


def begin(draft: Draft, key: str = "") -> None:
    """One condition more that has to hold beside the rest, about this field, or about one that is chosen next."""
    if draft.root.mode == "any" and len(draft.root.children) > 1:
        draft.root = Branch("all", [draft.root])
    _append(draft, (), Condition(), nodes=1)
    if key and draft.picking:
        _choose(draft, draft.picking, key)
        draft.picking = None


def _add(draft: Draft, path: Path, key: str) -> None:
    _append(draft, path, Condition(), nodes=1)


def _group(draft: Draft, path: Path, key: str) -> None:
    parent = draft.at(path)
    if len(path) + 2 > MAX_DEPTH:
        draft.refusal = TOO_DEEP
    elif isinstance(parent, Branch):
        _append(draft, path, Branch(OPPOSITE[parent.mode], [Condition()]), nodes=2)


def _append(draft: Draft, path: Path, item: Item, *, nodes: int) -> None:
    parent = draft.at(path)
    if not isinstance(parent, Branch):
        return
    if draft.count() + nodes > MAX_NODES:
        draft.refusal = FULL
        return
    parent.children.append(item)
    place = (*path, len(parent.children) - 1)
    draft.picking = (*place, 0) if isinstance(item, Branch) else place


def _remove(draft: Draft, path: Path, key: str) -> None:
    """A group that lost its last member goes with it."""
    while path:
        parent = draft.at(path[:-1])
        assert isinstance(parent, Branch)
        del parent.children[path[-1]]
        path = path[:-1]
        if parent.children:
            break
    draft.focus = ("add", path)


def _move(step: int) -> Callable[[Draft, Path, str], None]:
    """One place on as it is read: a condition goes through the groups it meets, and what is in a group leaves it."""

    def move(draft: Draft, path: Path, key: str) -> None:
        to = _next_place(draft, path, step) if path else None
        if to is not None:
            _put(draft, path, to)
            draft.focus = ("up" if step < 0 else "down", draft.focus[1]) if draft.focus else None

    return move


def _next_place(draft: Draft, path: Path, step: int) -> Path | None:
    """Before which place it goes, counted while it is still where it was."""
    beside = (*path[:-1], path[-1] + step)
    neighbour = draft.at(beside) if beside[-1] >= 0 else None
    if neighbour is None:
        return (*path[:-2], path[-2] + (step > 0)) if len(path) > 1 else None
    if isinstance(neighbour, Branch) and isinstance(draft.at(path), Condition):
        return (*beside, 0 if step > 0 else len(neighbour.children))
    return (*path[:-1], path[-1] + (2 if step > 0 else -1))


def _place(draft: Draft, path: Path, key: str) -> None:
    """Dropped: put before what stands at another place, or at the end of a group, one place after its last."""
    to = _path(key)
    if not path or not to or to[: len(path)] == path or not isinstance(draft.at(to[:-1]), Branch):
        return
    if len(to) + _depth(draft.at(path)) > MAX_DEPTH:
        draft.refusal = TOO_DEEP
        return
    _put(draft, path, to)


def _put(draft: Draft, path: Path, to: Path) -> None:
    item, parent, target = draft.at(path), draft.at(path[:-1]), draft.at(to[:-1])
    assert item is not None
    assert isinstance(parent, Branch)
    assert isinstance(target, Branch)
    target.children.insert(to[-1], item)
    goes = path[-1] + (parent is target and to[-1] <= path[-1])
    del parent.children[goes]
    _prune(draft.root)
    draft.focus = ("field", next(at for at, one in _placed(draft.root, ()) if one is item))


def _prune(branch: Branch) -> None:
    """A group that lost its last member goes with it."""
    for child in branch.children:
        if isinstance(child, Branch):
            _prune(child)
    branch.children[:] = [one for one in branch.children if isinstance(one, Condition) or one.children]


def _depth(item: Item | None) -> int:
    """How many levels of groups it brings along."""
    if not isinstance(item, Branch):
        return 0
    return 1 + max(map(_depth, item.children), default=0)


def _pick(draft: Draft, path: Path, key: str) -> None:
    draft.picking = path if isinstance(draft.at(path), Condition) else None


def _choose(draft: Draft, path: Path, key: str) -> None:
    found = draft.at(path)
    if isinstance(found, Condition) and found.field != key:
        found.field, found.values, found.days = key, [], ""
    draft.search, draft.focus = "", ("op", path)


def _show(draft: Draft, path: Path, key: str) -> None:
    draft.focus = ("field", path)


_VERBS: dict[str, Callable[[Draft, Path, str], None]] = {
    "add": _add,
    "group": _group,
    "remove": _remove,
    "up": _move(-1),
    "down": _move(1),
    "place": _place,
    "pick": _pick,
    "field": _choose,
    "show": _show,
}


# What a date is mostly asked: how far it is from today. Other fields begin with their first operator.
_USUAL = {FieldType.DATE: "within_next_days", FieldType.MOMENT: "within_last_days"}


def settle(draft: Draft, *, fields: FieldSet, subject: Subject) -> None:
    """Conditions whose field was just chosen begin with the operator it is mostly asked with."""
    for _path, item in _placed(draft.root, ()):
        found = known(fields, subject, item.field) if isinstance(item, Condition) else None
        if isinstance(item, Condition) and found and item.op not in operators_for(found.type):
            offered = operators_for(found.type)
            usual = _USUAL.get(found.type, "")
            item.op = usual if usual in offered else next(iter(offered), "")


# JSON ----------------------------------------------------------------------------------------------------------------


def draft_of(data: Any, *, fields: FieldSet, subject: Subject) -> Draft:
    """Stored JSON to edit, also where it asks about a field that is gone."""
    if not data:
        return Draft()
    item = _stored(data, fields, subject, depth=1)
    return Draft(item) if isinstance(item, Branch) else Draft(Branch("all", [item]), lone=True)


def _stored(data: Any, fields: FieldSet, subject: Subject, *, depth: int) -> Item:
    if not isinstance(data, dict) or depth > MAX_DEPTH + 1:
        return Condition()
    for mode in OPPOSITE:
        if isinstance(data.get(mode), list):
            return Branch(mode, [_stored(one, fields, subject, depth=depth + 1) for one in data[mode][:MAX_NODES]])
    key, op = str(data.get("field") or ""), str(data.get("op") or "")
    found = known(fields, subject, key)
    texts, days = texts_of(found, operators_for(found.type).get(op) if found else None, data)
    return Condition(key, op, texts, days)


def written(draft: Draft, *, fields: FieldSet, subject: Subject) -> tuple[dict[str, Any], list[RuleError]]:
    """The rule's JSON, for the grammar to judge, and what could not even be read of it."""
    errors: list[RuleError] = []
    return _written(draft.root, ROOT, fields, subject, errors), errors


def _written(item: Item, path: str, fields: FieldSet, subject: Subject, errors: list[RuleError]) -> dict[str, Any]:
    if isinstance(item, Branch):
        return {
            item.mode: [
                _written(child, f"{path}.{item.mode}[{at}]", fields, subject, errors)
                for at, child in enumerate(item.children)
            ]
        }
    found = known(fields, subject, item.field)
    operator = operators_for(found.type).get(item.op) if found else None
    condition: dict[str, Any] = {"field": item.field, "op": item.op}
    if found and operator:
        read = typed(found, operator, item.values, item.days, path=path)
        errors += read.errors
        condition |= read.parts
    return condition
