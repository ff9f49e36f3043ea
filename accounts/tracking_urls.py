from django.urls import re_path

from accounts.views import tracking

urlpatterns = [
    re_path(rf"^(?P<kind>{'|'.join(tracking.KINDS)})/?$", tracking.receive_calls, name="tracking"),
]
