from django.urls import path

from accounts.views import account, bulk, exports, filtering, indicators, rules, table, traits

app_name = "accounts"
urlpatterns = [
    path("", table.account_table, name="list"),
    path("<int:pk>/", account.account_page, name="detail"),
    path("<int:pk>/traits/", traits.edit_traits, name="traits"),
    path("bulk/", bulk.bulk_edit, name="bulk"),
    path("export/", exports.export_accounts, name="export"),
    path("filter/", filtering.edit_filter, name="filter"),
    path("rules/edit/", rules.edit_rule, name="edit_rule"),
    path("rules/explain/", rules.explain_rule, name="explain_rule"),
    path("rules/preview/", rules.preview_rule, name="preview_rule"),
    path("indicators/<int:pk>/address/", indicators.address_indicator, name="address"),
]
