from typing import ClassVar

from django import forms

from cs_platform.tenancy.models import Membership

THEMES = [("system", "System"), ("light", "Light"), ("dark", "Dark")]
DENSITIES = [("comfortable", "Comfortable"), ("compact", "Compact")]


class PreferencesForm(forms.ModelForm):
    theme = forms.ChoiceField(choices=THEMES)
    density = forms.ChoiceField(choices=DENSITIES)

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = ["theme", "density"]
