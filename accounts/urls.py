from django.urls import path, re_path

from accounts.table.lists import ACCOUNTS
from accounts.views import (
    account,
    adding,
    archiving,
    bulk,
    editing,
    exports,
    filtering,
    indicators,
    inline,
    menus,
    notes,
    parent,
    rules,
    table,
    traits,
)

app_name = "accounts"
urlpatterns = [
    path("", table.show_table, {"listing": ACCOUNTS}, name="list"),
    path("<int:pk>/", account.account_page, name="detail"),
    path("<int:pk>/traits/", traits.edit_traits, name="traits"),
    path("<int:pk>/edit/", editing.edit_account_facts, name="edit"),
    path("<int:pk>/archive/", archiving.archive_one, {"listing": ACCOUNTS}, name="archive"),
    path("<int:pk>/restore/", archiving.restore_one, {"listing": ACCOUNTS}, name="restore"),
    path("new/", adding.new_account, name="new"),
    path("bulk/", bulk.bulk_edit, {"listing": ACCOUNTS}, name="bulk"),
    path("export/", exports.export_table, {"listing": ACCOUNTS}, name="export"),
    path("<int:pk>/traits/<int:trait_id>/", inline.edit_account_trait, name="trait"),
    path("<int:pk>/csm/", inline.edit_person, {"role": "csm"}, name="csm"),
    path("<int:pk>/ae/", inline.edit_person, {"role": "ae"}, name="ae"),
    path("<int:pk>/roles/<int:role_id>/", inline.edit_key_role, name="role"),
    path("<int:pk>/known-cause/", inline.edit_known_cause, name="known_cause"),
    path("<int:pk>/parent/", parent.edit_parent, name="parent"),
    path("<int:pk>/notes/", notes.write_note, name="write_note"),
    path("notes/<int:pk>/", notes.edit_note, name="note"),
    path("notes/<int:pk>/archive/", notes.archive_note, name="archive_note"),
    path("notes/<int:pk>/restore/", notes.restore_note, name="restore_note"),
    path("columns/", menus.show_columns, {"listing": ACCOUNTS}, name="columns"),
    path("columns/<path:key>/", menus.show_column, {"listing": ACCOUNTS}, name="column"),
    path("sorts/", menus.show_sorts, {"listing": ACCOUNTS}, name="sorts"),
    path("filters/", menus.show_filters, {"listing": ACCOUNTS}, name="filters"),
    path("filter/", filtering.edit_filter, {"listing": ACCOUNTS}, name="filter"),
    path("rules/edit/", rules.edit_rule, name="edit_rule"),
    path("rules/explain/", rules.explain_rule, name="explain_rule"),
    path("rules/preview/", rules.preview_rule, name="preview_rule"),
    path("<int:pk>/indicators/", indicators.raise_indicator, name="raise"),
    path("indicators/<int:pk>/", indicators.indicator_page, name="indicator"),
    re_path(
        r"^indicators/(?P<pk>[0-9]{1,18})/(?P<verb>address|end|reopen)/$", indicators.settle_indicator, name="settle"
    ),
    path("indicators/<int:pk>/assign/", indicators.assign_indicator, name="assign"),
    path("indicators/<int:pk>/comments/", indicators.comment, name="comment"),
    path("notes/<int:pk>/files/", notes.attach, name="attach_note"),
]
