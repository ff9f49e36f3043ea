"""Which column of a file becomes what: the choices, a guess for each, and what a mapping must have."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.ingest.definitions import COLUMN_TYPES, DEFAULT_COLUMNS, KEY_LIMIT, USER_COLUMNS, infer_type, label_of
from accounts.models import CsvImport, TraitDefinition
from accounts.models.traits import TraitType

KEY = "external_id"
ACCOUNT_OF_USER = "account"
ROLE = "role"
TRAIT, NEW, FACT = "trait:", "new:", "fact:"
NEW_TYPES = tuple((value, label) for value, label in TraitType.choices if value != TraitType.PERSON)

# Built-in facts in the words of pages.
FACTS: Mapping[str, Mapping[str, str]] = {
    CsvImport.Scope.ACCOUNT: {
        "name": "Name",
        "plan": "Plan",
        "mrr_cents": "MRR (in units)",
        "lifecycle": "Status",
        "renewal_on": "Renewal",
        "trial_end_on": "Trial end",
        "created_at": "Customer since",
        "timezone": "Time zone",
        "csm_id": "CSM (email)",
        "ae_id": "AE (email)",
        "health": "Health",
    },
    CsvImport.Scope.USER: {"name": "Name", "email": "Email", "created_at": "Since"},
}
_PEOPLE = (FACT + "csm_id", FACT + "ae_id")
# What other systems call them, beside our own words.
_ALIASES: Mapping[str, Mapping[str, Sequence[str]]] = {
    CsvImport.Scope.ACCOUNT: {
        KEY: ("id", "externalid", "accountid", "groupid", "companyid", "customerid"),
        "fact:name": ("account", "accountname", "company", "companyname", "customer", "customername"),
        "fact:mrr_cents": ("mrr", "monthlyrecurringrevenue", "monthlyrevenue", "mrrusd", "mrreur", "mrrgbp"),
        "fact:lifecycle": ("lifecycle", "lifecyclestage", "status", "state", "accountstatus", "customerstatus"),
        "fact:renewal_on": (
            "renewal",
            "renewaldate",
            "renewson",
            "renewalon",
            "nextrenewal",
            "nextrenewaldate",
            "contractend",
            "contractenddate",
        ),
        "fact:trial_end_on": ("trialend", "trialends", "trialendsat", "trialenddate", "trialendson", "trialendon"),
        "fact:created_at": ("created", "createdat", "createdon", "createddate", "since", "customersince", "signupdate"),
        "fact:plan": ("planname", "subscription", "subscriptionplan"),
        "fact:timezone": ("timezone", "tz"),
        "fact:csm_id": (
            "csm",
            "csmemail",
            "csmowner",
            "customersuccessmanager",
            "owner",
            "owneremail",
            "accountowner",
            "accountmanager",
        ),
        "fact:ae_id": ("ae", "aeemail", "accountexecutive", "accountexecutiveemail", "salesowner", "salesrep"),
        "fact:health": ("healthscore",),
    },
    CsvImport.Scope.USER: {
        KEY: ("id", "externalid", "userid", "contactid"),
        ACCOUNT_OF_USER: ("account", "accountid", "groupid", "companyid", "company"),
        "fact:name": ("fullname", "username", "contact", "contactname"),
        "fact:email": ("emailaddress", "mail", "useremail", "workemail", "contactemail"),
        "fact:created_at": ("created", "createdat", "createdon", "since", "signupdate", "signedup", "signedupat"),
        ROLE: ("role", "title", "jobtitle", "position"),
    },
}


class MappingFaults(ValueError):
    """By column position; "" for what is about the whole."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = dict(faults)


@dataclass(frozen=True, slots=True)
class Target:
    """What a column can become; its key is stored in the mapping."""

    key: str
    label: str
    group: str


def targets(scope: str) -> list[Target]:
    special = [Target(KEY, "External id (the key)", "Facts")]
    special += [Target(FACT + column, label, "Facts") for column, label in FACTS[scope].items()]
    if scope == CsvImport.Scope.USER:
        special += [
            Target(ACCOUNT_OF_USER, "Account (its external id)", "Facts"),
            Target(ROLE, "Role at the account", "Facts"),
        ]
    known = TraitDefinition.objects.filter(scope=scope, archived_at=None, column="").order_by("label", "pk")
    traits = [Target(f"{TRAIT}{one.key}", one.label, "Traits") for one in known]
    return special + traits


def guess(made: CsvImport) -> dict[str, str]:
    """Position → target, each once; a column nobody knows becomes a new trait of the type it looks like."""
    offered, taken = targets(made.scope), set()
    found: dict[str, str] = {}
    for at, heading in enumerate(made.header):
        values = _column(made.samples, at)
        meant = (one.key for one in offered if one.key not in taken and _means(made.scope, one, heading))
        known = next((key for key in meant if _could_be(key, values)), "")
        found[str(at)] = known or _new(heading, values)
        taken.add(known)
    if KEY not in taken and made.header:
        found |= _key_by_position(made, found)
    return found


def _key_by_position(made: CsvImport, found: Mapping[str, str]) -> dict[str, str]:
    """The first column that is no fact and has a value of its own in each row shown."""
    for at in range(len(made.header)):
        values = _column(made.samples, at)
        if found[str(at)].startswith(NEW) and all(values) and len(set(values)) == len(values):
            return {str(at): KEY}
    return {}


def _means(scope: str, target: Target, heading: str) -> bool:
    word = _folded(heading)
    names = {_folded(target.label), _folded(target.key.partition(":")[2] or target.key)}
    return bool(word) and word in names | set(_ALIASES[scope].get(target.key, ()))


def _could_be(target: str, values: Sequence[str]) -> bool:
    """Team members are known by their addresses: names would only be refused, row by row."""
    return target not in _PEOPLE or all("@" in value for value in values if value)


def _folded(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _new(heading: str, values: Sequence[str]) -> str:
    if not heading or not any(values):
        return ""
    return f"{NEW}{infer_from_texts(heading, values)}:{label_of(heading)}"


def infer_from_texts(heading: str, values: Iterable[str]) -> str:
    """A file holds only texts: one column of numbers is a number."""
    texts = [value.strip() for value in values if value.strip()]
    if texts and {text.lower() for text in texts} <= {"yes", "no"}:
        return TraitType.BOOLEAN
    if texts and all(re.fullmatch(r"[+-]?[0-9]+([.,][0-9]+)?", text) for text in texts):
        number: Any = 1
        return infer_type(heading, [number]) or TraitType.NUMBER
    return infer_type(heading, texts) or TraitType.TEXT


def _column(samples: Sequence[Sequence[str]], at: int) -> list[str]:
    return [row[at] if at < len(row) else "" for row in samples]


def checked(made: CsvImport, mapping: Mapping[str, str]) -> dict[str, str]:
    """The mapping without what is left out. Raises MappingFaults."""
    known = {one.key for one in targets(made.scope)}
    kept = {at: to for at, to in mapping.items() if to}
    faults: dict[str, str] = {}
    for at, to in kept.items():
        if not (at.isascii() and at.isdecimal() and int(at) < len(made.header)):
            faults[at] = "The file has no such column."
        elif to.startswith(NEW):
            if why := _why_not_new(to):
                faults[at] = why
        elif to not in known:
            faults[at] = "Choose what this column becomes."
    faults |= dict.fromkeys(_repeated(kept), "Another column becomes the same. Choose one of the two.")
    if KEY not in kept.values():
        faults[""] = "Choose the column with the external id: it says which account or user a row is about."
    if faults:
        raise MappingFaults(faults)
    return kept


def _why_not_new(to: str) -> str:
    type, label = ([*to.split(":", 2)[1:], "", ""])[:2]
    if type not in dict(NEW_TYPES):
        return "Choose a type for the new trait."
    if not label.strip() or len(label) > KEY_LIMIT or not key_of(label):
        return "Give the new trait a name with letters, of up to 100 characters."
    return ""


def _repeated(mapping: Mapping[str, str]) -> list[str]:
    seen: set[str] = set()
    again = []
    for at, to in mapping.items():
        name = f"{NEW}{key_of(to.split(':', 2)[2])}" if to.startswith(NEW) and to.count(":") > 1 else to
        if name in seen:
            again.append(at)
        seen.add(name)
    return again


def key_of(label: str) -> str:
    """“Renewal stage” is `renewal_stage`."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:KEY_LIMIT]


def type_of_fact(column: str) -> TraitType:
    return COLUMN_TYPES[column]


def feeder_of(scope: str, column: str) -> str:
    """The usual key of the trait that feeds a built-in column."""
    usual = DEFAULT_COLUMNS if scope == CsvImport.Scope.ACCOUNT else USER_COLUMNS
    return next(key for key, fed in usual.items() if fed == column)
