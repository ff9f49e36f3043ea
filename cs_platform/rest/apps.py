from django.apps import AppConfig


class RestConfig(AppConfig):
    name = "cs_platform.rest"
    label = "rest"
