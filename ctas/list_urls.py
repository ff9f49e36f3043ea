from django.urls import path, re_path

from ctas.views import lists

app_name = "cta_lists"
urlpatterns = [
    path("", lists.index, name="index"),
    path("order/", lists.order, name="order"),
    path("edit/", lists.edit, name="edit"),
    path("switch/", lists.switch, name="switch"),
    re_path("^(?P<kind>type|reason|priority|status)/$", lists.show, name="list"),
]
