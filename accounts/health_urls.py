from django.urls import path

from accounts.views import health

app_name = "health"
urlpatterns = [
    path("", health.health_page, name="page"),
    path("lifecycles/", health.lifecycles, name="lifecycles"),
    path("scores/new/", health.new_score, name="new_score"),
    path("scores/<int:pk>/", health.edit_score, name="edit_score"),
    path("scores/<int:pk>/archive/", health.archive_score, name="archive_score"),
    path("scores/<int:pk>/restore/", health.restore_score, name="restore_score"),
    path("scores/<int:pk>/measures/", health.new_measure, name="new_measure"),
    path("scores/<int:pk>/preview/", health.preview_measure, name="preview_measure"),
    path("measures/<int:pk>/", health.edit_measure, name="edit_measure"),
    path("measures/<int:pk>/remove/", health.remove_measure, name="remove_measure"),
]
