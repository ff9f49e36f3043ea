from typing import Any, ClassVar

from django import forms

from cs_platform.tenancy.models import Membership
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.saved_views import is_default, may_set_for_everyone, may_share

THEMES = [("system", "System"), ("light", "Light"), ("dark", "Dark")]
DENSITIES = [("comfortable", "Comfortable"), ("compact", "Compact")]


class PreferencesForm(forms.ModelForm):
    theme = forms.ChoiceField(choices=THEMES)
    density = forms.ChoiceField(choices=DENSITIES)

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = ["theme", "density"]


class HolidayForm(forms.Form):
    on = forms.DateField(label="Day", widget=forms.DateInput(attrs={"type": "date"}))
    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"placeholder": "New Year’s Day"}))


class ViewForm(forms.Form):
    """Offers only what the person may do with a view."""

    name = forms.CharField(max_length=100)
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
        "shared": view.is_shared,
        "opens_for_me": is_default(view, member=member),
        "opens_for_all": is_default(view, member=None),
    }
