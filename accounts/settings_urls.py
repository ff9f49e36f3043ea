from django.urls import path, re_path

from accounts.views import key_roles, sending, trait_settings

app_name = "traits"
urlpatterns = [
    path("traits/", trait_settings.trait_list, name="list"),
    path("traits/new/", trait_settings.define, name="new"),
    path("traits/<int:pk>/", trait_settings.trait_page, name="detail"),
    path("traits/<int:pk>/type/", trait_settings.change_type, name="type"),
    path("traits/<int:pk>/column/", trait_settings.feed_column, name="column"),
    re_path(r"^traits/(?P<pk>[0-9]{1,18})/(?P<verb>archive|restore|fast|slow)/$", trait_settings.switch, name="switch"),
    path("sending/", sending.sending, name="sending"),
    path("sending/suppress/", sending.suppress, name="suppress"),
    path("sending/<int:pk>/lift/", sending.lift_suppression, name="lift"),
    path("workload/", sending.workload, name="workload"),
    path("workload/<int:pk>/", sending.edit_workload, name="edit_workload"),
    path("roles/", key_roles.role_list, name="roles"),
    path("roles/<int:pk>/rename/", key_roles.rename, name="rename_role"),
    re_path(r"^roles/(?P<pk>[0-9]{1,18})/(?P<verb>up|down|archive|restore)/$", key_roles.switch, name="switch_role"),
]
