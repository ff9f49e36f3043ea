from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "cs_platform.jobs"
    label = "jobs"
