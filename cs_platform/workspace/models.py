"""What people make for themselves and each other on top of any page: saved views, comments, files, days off."""

from django.db import models

from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Role


class SavedView(TenantModel):
    """A list as somebody set it up: the address's parameters, and how wide its columns are."""

    page = models.CharField(max_length=30)  # "accounts", "users"
    name = models.CharField(max_length=100)
    icon = models.CharField(max_length=30, blank=True, default="")  # one of view_icons.ICONS, or its page's
    owner = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    is_shared = models.BooleanField(default=False)
    params = models.TextField(blank=True, default="")
    widths = models.JSONField(default=dict)  # column key -> pixels
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "page", "owner", "name"],
                condition=models.Q(archived_at__isnull=True),
                name="workspace_savedview_name",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DefaultView(TenantModel):
    """What a page opens with: for one member, or (`member` empty) for everyone who chose nothing."""

    is_referenced = False

    page = models.CharField(max_length=30)
    member = TenantForeignKey(Membership, on_delete=models.CASCADE, null=True, related_name="+")
    view = TenantForeignKey(SavedView, on_delete=models.CASCADE, related_name="+")

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "page", "member"], nulls_distinct=False, name="workspace_defaultview_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.page} of {self.member_id or 'everyone'}"


class Comment(TenantModel):
    """Said about something another app owns."""

    subject = models.CharField(max_length=60)  # "indicator:5", "cta:9", "note:3"
    about = models.CharField(max_length=200, blank=True, default="")  # the subject's name when it was written
    url = models.CharField(max_length=300, blank=True, default="")  # where it can be read
    author = models.CharField(max_length=100)  # "person:7", "key:3"
    body = models.TextField()  # a mention stands in it as <@7>, the member's id
    written_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        # Read by the discussion of one thing, oldest first.
        indexes = [models.Index(fields=["tenant", "subject", "written_at", "id"], name="workspace_comment_thread")]

    def __str__(self) -> str:
        return self.body[:80]


class Team(TenantModel):
    """People who look after accounts together."""

    name = models.CharField(max_length=100)
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], condition=models.Q(archived_at__isnull=True), name="workspace_team_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class TeamMember(TenantModel):
    is_referenced = False

    team = TenantForeignKey(Team, on_delete=models.CASCADE, related_name="places")
    member = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    is_lead = models.BooleanField(default=False)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "member", "team"], name="workspace_teammember_once"),
        ]
        # Read by the teams of a workspace.
        indexes = [models.Index(fields=["tenant", "team", "id"], name="workspace_teammember_of")]

    def __str__(self) -> str:
        return f"{self.member_id} in {self.team_id}"


class Invitation(TenantModel):
    """Bound to an address and a role; the link in its mail works once. Only the hash of that link's token is kept."""

    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role.choices)
    team = TenantForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    token_hash = models.CharField(max_length=64, blank=True, default="")
    invited_by = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="workspace_invitation_open",
            )
        ]

    def __str__(self) -> str:
        return self.email


class OutgoingMail(TenantModel):
    """A mail to a team member, to somebody who is invited, or to a guest of an upper layer (settings.LETTER_SOURCES).
    What it says is put together when it leaves.
    """

    class Kind(models.TextChoices):
        INVITATION = "invitation", "Invitation"
        NOTICE = "notice", "Notifications"
        DIGEST = "digest", "Daily mail"
        GUEST = "guest", "Code for a guest"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "On its way"  # committed before the call, so that it is never sent twice blindly
        SENT = "sent", "Sent"
        EMPTY = "empty", "Nothing to say"
        REFUSED = "refused", "Refused"
        UNCERTAIN = "uncertain", "Not confirmed"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    member = TenantForeignKey(Membership, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    invitation = TenantForeignKey(Invitation, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    about = models.CharField(max_length=60, blank=True, default="")  # of a guest's: "guest:17"
    # What is mailed only once: "digest:7:2026-11-30".
    once = models.CharField(max_length=100)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "once"], name="workspace_outgoingmail_once")]
        # Read by what sends it.
        indexes = [
            models.Index(
                fields=["tenant", "due_at", "id"],
                condition=models.Q(state__in=["waiting", "sending"]),
                name="workspace_outgoingmail_due",
            )
        ]

    def __str__(self) -> str:
        return self.once


class Notification(TenantModel):
    """Something a team member should know of. Whether it is shown, and mailed, was their choice when it happened."""

    is_referenced = False

    class Kind(models.TextChoices):
        MENTION = "mention", "Mentions"
        ASSIGNMENT = "assignment", "Assignments"
        DUE = "due", "Due and overdue"
        JOB = "job", "Jobs that ended"
        HELD = "held", "Held checks"
        APPROVAL = "approval", "Actions to approve"
        REPLY = "reply", "Answers from customers"
        FAILURE = "failure", "Failures"

    class Mail(models.TextChoices):
        NOW = "now", "At once"
        DAILY = "daily", "In the daily mail"
        OFF = "off", "No mail"

    member = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    text = models.CharField(max_length=300)
    url = models.CharField(max_length=300)
    subject = models.CharField(max_length=60, blank=True, default="")  # "cta:9"
    actor = models.CharField(max_length=100, blank=True, default="")  # "person:7"; empty: nobody's doing
    at = models.DateTimeField()
    is_shown = models.BooleanField(default=True)
    read_at = models.DateTimeField(null=True, blank=True)
    mail = models.CharField(max_length=6, choices=Mail.choices, default=Mail.OFF)
    mailed_at = models.DateTimeField(null=True, blank=True)
    mailing = TenantForeignKey(OutgoingMail, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    # What is said only once, whoever finds it how often: "due:2026-11-30".
    once = models.CharField(max_length=100, null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "member", "once"], name="workspace_notification_once")]
        indexes = [
            # Read by the bell: how many are new.
            models.Index(
                fields=["tenant", "member"],
                condition=models.Q(read_at__isnull=True, is_shown=True),
                name="workspace_notification_new",
            ),
            # Read by its list, newest first.
            models.Index(
                fields=["tenant", "member", "-at", "-id"],
                condition=models.Q(is_shown=True),
                name="workspace_notification_list",
            ),
            # Read by what mails them.
            models.Index(
                fields=["tenant", "mail", "member", "id"],
                condition=models.Q(mailed_at__isnull=True, mailing__isnull=True) & ~models.Q(mail="off"),
                name="workspace_notification_mail",
            ),
        ]

    def __str__(self) -> str:
        return self.text


class NotificationChoice(TenantModel):
    """What a member wants to hear of one kind; without a row: notifications.DEFAULTS."""

    is_referenced = False

    member = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=Notification.Kind.choices)
    in_app = models.BooleanField(default=True)
    mail = models.CharField(max_length=6, choices=Notification.Mail.choices)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "member", "kind"], name="workspace_notificationchoice_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.member_id}"


class Attachment(TenantModel):
    """A file somebody put to something. Taken only if its content is what its name says (attachments.py)."""

    class State(models.TextChoices):
        CHECKING = "checking", "Being checked"
        CLEAN = "clean", "Ready"
        REFUSED = "refused", "Refused"

    subject = models.CharField(max_length=60)  # "cta:9", "note:3", "plan:2"
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices)
    reason = models.CharField(max_length=200, blank=True, default="")
    author = models.CharField(max_length=100)  # "person:7", "key:3"
    added_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        indexes = [
            # Read by what shows the files of one thing.
            models.Index(fields=["tenant", "subject", "added_at", "id"], name="workspace_attachment_of"),
            # Read by the scanner.
            models.Index(
                fields=["tenant", "id"], condition=models.Q(state="checking"), name="workspace_attachment_new"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AttachmentContent(TenantModel):
    """Apart, so that a list of files never reads them."""

    is_referenced = False

    attachment = TenantForeignKey(Attachment, on_delete=models.CASCADE, related_name="contents")
    content = models.BinaryField()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "attachment"], name="workspace_attachmentcontent_once")
        ]

    def __str__(self) -> str:
        return f"of {self.attachment_id}"


class Holiday(TenantModel):
    """A day on which nobody works, though it is no weekend."""

    is_referenced = False

    on = models.DateField()
    name = models.CharField(max_length=100)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "on"], name="workspace_holiday_once")]

    def __str__(self) -> str:
        return f"{self.name}, {self.on}"
