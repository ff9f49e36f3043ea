from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "cs_platform.web"
    label = "web"
