from django.apps import AppConfig


class WorkspaceConfig(AppConfig):
    name = "cs_platform.workspace"
    label = "workspace"
