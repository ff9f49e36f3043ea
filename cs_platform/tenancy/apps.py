from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "cs_platform.tenancy"
    label = "tenancy"

    def ready(self) -> None:
        from . import checks  # noqa: F401  # registers itself
