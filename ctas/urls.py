from django.urls import path, re_path

from ctas import views

app_name = "ctas"
urlpatterns = [
    path("<int:pk>/", views.cta_page, name="detail"),
    re_path(r"^(?P<pk>[0-9]{1,18})/close/(?P<status>won|lost|cancelled)/$", views.close, name="close"),
    path("<int:pk>/reopen/", views.reopen, name="reopen"),
    re_path(r"^tasks/(?P<pk>[0-9]{1,18})/(?P<verb>complete|reopen)/$", views.tick, name="tick"),
]
