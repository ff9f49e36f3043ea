from django.urls import path

from accounts.table.lists import USERS
from accounts.views import adding, archiving, bulk, editing, exports, filtering, inline, menus, table, user

app_name = "users"
urlpatterns = [
    path("", table.show_table, {"listing": USERS}, name="list"),
    path("new/", adding.new_user, name="new"),
    path("bulk/", bulk.bulk_edit, {"listing": USERS}, name="bulk"),
    path("export/", exports.export_table, {"listing": USERS}, name="export"),
    path("columns/", menus.show_columns, {"listing": USERS}, name="columns"),
    path("columns/<path:key>/", menus.show_column, {"listing": USERS}, name="column"),
    path("sorts/", menus.show_sorts, {"listing": USERS}, name="sorts"),
    path("filters/", menus.show_filters, {"listing": USERS}, name="filters"),
    path("filter/", filtering.edit_filter, {"listing": USERS}, name="filter"),
    path("<int:pk>/", user.user_page, name="detail"),
    path("<int:pk>/edit/", editing.edit_user_facts, name="edit"),
    path("<int:pk>/place/", editing.place, name="place"),
    path("<int:pk>/archive/", archiving.archive_one, {"listing": USERS}, name="archive"),
    path("<int:pk>/restore/", archiving.restore_one, {"listing": USERS}, name="restore"),
    path("<int:pk>/accounts/<int:account_id>/key-contact/", user.key_contact, name="key_contact"),
    path("<int:pk>/accounts/<int:account_id>/leave/", user.leave, name="leave"),
    path("<int:pk>/traits/<int:trait_id>/", inline.edit_user_trait, name="trait"),
]
