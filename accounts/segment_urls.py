from django.urls import path

from accounts.views import segments

app_name = "segments"
urlpatterns = [
    path("", segments.segment_list, name="list"),
    path("new/", segments.new_segment, name="new"),
    path("<int:pk>/", segments.segment_page, name="detail"),
    path("<int:pk>/edit/", segments.edit_segment, name="edit"),
    path("<int:pk>/archive/", segments.archive_segment, name="archive"),
    path("<int:pk>/restore/", segments.restore_segment, name="restore"),
    path("<int:pk>/suggest/", segments.suggest, name="suggest"),
    path("<int:pk>/add/", segments.add_member, name="add"),
    path("<int:pk>/remove/", segments.remove_member, name="remove"),
]
