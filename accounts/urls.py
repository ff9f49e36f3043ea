from django.urls import path

from accounts.views import account, indicators, rules, table, traits

app_name = "accounts"
urlpatterns = [
    path("", table.account_table, name="list"),
    path("<int:pk>/", account.account_page, name="detail"),
    path("<int:pk>/traits/", traits.edit_traits, name="traits"),
    path("rules/edit/", rules.edit_rule, name="edit_rule"),
    path("indicators/<int:pk>/address/", indicators.address_indicator, name="address"),
]
