from django.urls import path

from accounts.views import inline, user, users

app_name = "users"
urlpatterns = [
    path("", users.user_table, name="list"),
    path("<int:pk>/", user.user_page, name="detail"),
    path("<int:pk>/accounts/<int:account_id>/key-contact/", user.key_contact, name="key_contact"),
    path("<int:pk>/traits/<int:trait_id>/", inline.edit_user_trait, name="trait"),
]
