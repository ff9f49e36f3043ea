from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "cs_platform.dashboard"
    label = "dashboard"
