from django.urls import path, re_path

from cs_platform.web import connectors

app_name = "connectors"
urlpatterns = [
    path("", connectors.connector_list, name="list"),
    path("<int:pk>/", connectors.connector_detail, name="detail"),
    path("<int:pk>/renew/", connectors.renew, name="renew"),
    path("mailboxes/<int:pk>/disconnect/", connectors.disconnect_mailbox, name="disconnect"),
    re_path(r"^(?P<pk>[0-9]{1,18})/(?P<verb>test|retry|archive)/$", connectors.act, name="act"),
]
