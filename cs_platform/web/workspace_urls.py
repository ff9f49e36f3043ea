from django.urls import path, re_path

from cs_platform.web import attachments, comments, jump, mailbox, notifications

app_name = "workspace"
urlpatterns = [
    path("notifications/", notifications.notification_list, name="notifications"),
    path("notifications/count/", notifications.count, name="notification_count"),
    path("notifications/read/", notifications.mark_all, name="mark_all"),
    path("notifications/choices/", notifications.choose, name="notification_choices"),
    re_path(r"^notifications/(?P<pk>[0-9]{1,18})/(?P<verb>read|unread)/$", notifications.mark, name="mark"),
    path("comments/<int:pk>/edit/", comments.edit_comment, name="edit_comment"),
    path("comments/<int:pk>/archive/", comments.archive_comment, name="archive_comment"),
    path("comments/<int:pk>/restore/", comments.restore_comment, name="restore_comment"),
    path("jump/", jump.jump, name="jump"),
    path("team/", comments.team, name="team"),
    path("mailbox/ask/", mailbox.ask_google, name="ask_google"),
    path("mailbox/connect/", mailbox.connect_mailbox, name="connect_mailbox"),
    path("mailbox/disconnect/", mailbox.disconnect_mailbox, name="disconnect_mailbox"),
    path("files/<int:pk>/", attachments.attachment, name="attachment"),
    re_path(
        r"^files/(?P<pk>[0-9]{1,18})/(?P<verb>archive|restore)/$",
        attachments.settle_attachment,
        name="settle_attachment",
    ),
]
