from django.urls import path

from accounts.views import sources

app_name = "sources"
urlpatterns = [
    path("", sources.list_sources, name="list"),
    path("exports/", sources.exports, name="exports"),
    path("exports/clear/", sources.clear_exports, name="clear_exports"),
    path("<int:pk>/", sources.show_source, name="detail"),
    path("<int:pk>/rotate/", sources.rotate, name="rotate"),
    path("<int:pk>/close/", sources.close, name="close"),
    path("<int:pk>/retry/", sources.retry_batches, name="retry"),
    path("<int:pk>/clear/", sources.clear, name="clear"),
]
