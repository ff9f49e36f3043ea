from django.urls import path

from success_plans.views import settings

app_name = "plan_settings"
urlpatterns = [
    path("", settings.overview, name="overview"),
    path("types/new/", settings.new_type, name="new_type"),
    path("types/<int:pk>/", settings.edit_type, name="type"),
    path("types/<int:pk>/archive/", settings.archive_type, name="archive_type"),
    path("types/<int:pk>/restore/", settings.restore_type, name="restore_type"),
    path("templates/new/", settings.new_template, name="new_template"),
    path("templates/<int:pk>/", settings.edit_template, name="template"),
    path("templates/<int:pk>/archive/", settings.archive_template, name="archive_template"),
    path("templates/<int:pk>/restore/", settings.restore_template, name="restore_template"),
]
