from django.apps import AppConfig


class RestConfig(AppConfig):
    name = "cs_platform.rest"
    label = "rest"

    def ready(self) -> None:
        from cs_platform.rest import openapi  # noqa: F401  (registers what describes keys and filters)
