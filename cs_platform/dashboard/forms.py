from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.password_validation import validate_password

from cs_platform.tenancy.models import Membership, User
from cs_platform.tenancy.roles import SCOPES, Role, may_give
from cs_platform.workspace.models import SavedView, Team, TeamMember
from cs_platform.workspace.saved_views import is_default, may_set_for_everyone, may_share
from cs_platform.workspace.view_icons import ICONS

THEMES = [("system", "System"), ("light", "Light"), ("dark", "Dark")]
DENSITIES = [("comfortable", "Comfortable"), ("compact", "Compact")]


class PreferencesForm(forms.ModelForm):
    """What is not sent stays: the table's switch knows the height of rows alone."""

    theme = forms.ChoiceField(choices=THEMES, required=False)
    density = forms.ChoiceField(choices=DENSITIES, required=False)

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = ["theme", "density"]

    def clean(self) -> dict[str, Any]:
        return {name: self.cleaned_data.get(name) or getattr(self.instance, name) for name in self.Meta.fields}


class ProfileForm(forms.ModelForm):
    name = forms.CharField(max_length=200)
    timezone = forms.ChoiceField(required=False, label="Time zone")
    theme = forms.ChoiceField(choices=THEMES)
    density = forms.ChoiceField(choices=DENSITIES, label="Rows")
    single_keys = forms.BooleanField(required=False, label="Shortcuts of a single letter")

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = ["name", "timezone", "theme", "density", "single_keys"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        same = ("", f"The workspace’s ({self.instance.tenant.timezone})")
        zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
        choices = [same, ("UTC", "UTC"), *((zone, zone) for zone in zones)]
        self.fields["timezone"].choices = choices  # type: ignore[attr-defined]


class InviteForm(forms.Form):
    """Offers the roles that whoever invites may give."""

    email = forms.EmailField(max_length=254)
    role = forms.ChoiceField(initial=Role.CSM)
    team: Any = forms.ModelChoiceField(None, required=False, empty_label="No team")

    def __init__(self, *args: Any, by: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = [role for role in Role if may_give(Role(by.role), role)]
        self.fields["role"].choices = [(role.value, role.label) for role in given]  # type: ignore[attr-defined]
        teams = Team.objects.filter(archived_at=None).order_by("name", "pk")
        self.fields["team"].queryset = teams  # type: ignore[attr-defined]


class JoinForm(forms.Form):
    name = forms.CharField(max_length=200, label="Your name")
    password = forms.CharField(
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters.",
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, User(email=self.email, name=self.cleaned_data.get("name", "")))
        return password


class TeamForm(forms.Form):
    """A tick for who is in, another for who leads."""

    name = forms.CharField(max_length=100)
    members = forms.MultipleChoiceField(required=False)
    leads = forms.MultipleChoiceField(required=False)

    def __init__(self, data: Any = None, *, people: list[Membership], team: Team) -> None:
        places = {place.member_id: place.is_lead for place in TeamMember.objects.filter(team=team)}
        inside, leading = [str(pk) for pk in places], [str(pk) for pk, leads in places.items() if leads]
        super().__init__(data, initial={"name": team.name, "members": inside, "leads": leading})
        self.people = people
        for field in ("members", "leads"):
            self.fields[field].choices = [(str(one.pk), one.name) for one in people]  # type: ignore[attr-defined]

    def chosen(self) -> dict[str, Any]:
        said = self.cleaned_data
        inside = {*said["members"], *said["leads"]}  # who leads is in
        members = [one for one in self.people if str(one.pk) in inside]
        return {"name": said["name"], "members": members, "leads": {int(pk) for pk in said["leads"]}}

    def lines(self) -> list[tuple[Membership, bool, bool]]:
        inside, leading = self["members"].value() or [], self["leads"].value() or []
        return [(one, str(one.pk) in inside, str(one.pk) in leading) for one in self.people]


# What each scope adds to reading, as docs/api.md has it.
SCOPE_WORDS = {
    "read": "Reads everything",
    "write": "Sends accounts and users; works on CTAs, tasks, indicators and conversations",
    "playbooks:run": "Applies and stops playbooks; retries, skips and settles what they do",
    "playbooks:write": "Writes, imports and discards drafts of playbooks",
    "playbooks:publish": "Publishes playbooks, sets them live and pauses them; approves what they ask for",
    "evaluations:release": "Checks who matches; lets held checks through or drops them",
    "data": "Defines traits, segments, health and lifecycles; sets up sending, data sources and the NPS survey",
    "audit": "Reads who changed the set-up of the workspace",
    "members": "Invites and deactivates members; changes roles and teams",
    "connections": "Sets up, renews and tests connectors",
}


class KeyForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="What it is for. It stands beside everything the key does.")
    scopes = forms.MultipleChoiceField(
        choices=[(scope, SCOPE_WORDS[scope]) for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple({"class": "check"}),
        label="What it may do",
    )
    days = forms.IntegerField(
        required=False, min_value=1, max_value=3650, label="Expires after", help_text="Days; empty: never."
    )


class HolidayForm(forms.Form):
    on = forms.DateField(label="Day", widget=forms.DateInput(attrs={"type": "date"}))
    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"placeholder": "New Year’s Day"}))


class ViewForm(forms.Form):
    """Offers only what the person may do with a view."""

    name = forms.CharField(max_length=100)
    icon = forms.ChoiceField(choices=[("", "As its page"), *ICONS.items()], required=False, widget=forms.RadioSelect)
    shared = forms.BooleanField(required=False, label="Share it with the whole team")
    opens_for_me = forms.BooleanField(required=False, label="Open the page with it")
    opens_for_all = forms.BooleanField(required=False, label="Open the page with it for everyone who chose no other")

    def __init__(self, data: Any = None, *, member: Membership, view: SavedView | None = None) -> None:
        super().__init__(data, initial=_initial(view, member) if view else None)
        self.view = view
        if not may_share(member):
            del self.fields["shared"]
        if not may_set_for_everyone(member):
            del self.fields["opens_for_all"]

    @property
    def is_shared(self) -> bool:
        """Who may not decide it leaves it as it is."""
        if "shared" in self.fields:
            return bool(self.cleaned_data["shared"])
        return self.view is not None and self.view.is_shared

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("opens_for_all") and not cleaned.get("shared"):
            self.add_error("opens_for_all", "Share it first: nobody else can see it.")
        return cleaned


def _initial(view: SavedView, member: Membership) -> dict[str, Any]:
    return {
        "name": view.name,
        "icon": view.icon,
        "shared": view.is_shared,
        "opens_for_me": is_default(view, member=member),
        "opens_for_all": is_default(view, member=None),
    }
