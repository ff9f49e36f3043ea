from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "cs_platform.connectors"
    label = "connectors"
