from django.urls import path

from accounts.views import imports

app_name = "imports"
urlpatterns = [
    path("", imports.import_list, name="list"),
    path("<int:pk>/", imports.show_import, name="detail"),
]
