"""Net promoter score: one survey per workspace, who may see it, when it was shown, and what they answered."""

from django.db import models

from accounts.models.account import Account, EndUser
from cs_platform.tenancy.base import TenantForeignKey, TenantModel


class NpsSurvey(TenantModel):
    """How and to whom the workspace's one survey is shown."""

    is_referenced = False

    is_on = models.BooleanField(default=False)
    question = models.CharField(max_length=200)
    follow_up = models.CharField(max_length=200)
    thanks = models.CharField(max_length=200)
    theme = models.JSONField(default=dict)  # {"accent": "#2f54d0", "position": "right", "appearance": "system"}
    # Pages of these origins may ask for it and answer it ("https://app.example.com").
    origins = models.JSONField(default=list)
    # Limits, in the words of the settings page: nobody is asked too early, too often or against the plan.
    min_user_age_days = models.PositiveSmallIntegerField(default=30)
    months_between = models.PositiveSmallIntegerField(default=3)
    max_showings = models.PositiveSmallIntegerField(default=3)  # days on which it may appear without an answer
    requires_playbook = models.BooleanField(default=False)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant"], name="accounts_npssurvey_one")]

    def __str__(self) -> str:
        return self.question


class NpsEligibility(TenantModel):
    """A source that makes a user eligible ("run:<uuid>", "person:7"); the user is while one is open.

    It is over by itself at `ends_at`, where the source said until when, or at `ended_at`, when somebody ended it.
    """

    is_referenced = False

    end_user = TenantForeignKey(EndUser, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=100)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "end_user", "source"], name="accounts_npseligibility_once")
        ]
        # Read when a source ends what it holds.
        indexes = [
            models.Index(
                fields=["tenant", "source"], condition=models.Q(ended_at__isnull=True), name="accounts_nps_open_claims"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} for {self.end_user_id}"


class NpsShowing(TenantModel):
    """A day on which the survey appeared to a user, and whether they closed it."""

    is_referenced = False

    end_user = TenantForeignKey(EndUser, on_delete=models.CASCADE, related_name="+")
    on = models.DateField()
    shown_at = models.DateTimeField()
    dismissed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "end_user", "on"], name="accounts_npsshowing_once")]

    def __str__(self) -> str:
        return f"{self.end_user_id} on {self.on}"


class NpsResponse(TenantModel):
    """One answer. A user's last one counts."""

    end_user = TenantForeignKey(EndUser, on_delete=models.CASCADE, related_name="nps_responses")
    account = TenantForeignKey(Account, on_delete=models.SET_NULL, null=True, related_name="+")
    score = models.PositiveSmallIntegerField()
    comment = models.TextField(blank=True, default="")
    answered_at = models.DateTimeField()
    source = models.CharField(max_length=60)  # "survey", "key:3", "import:4"
    # The sender's own id for this answer: a repeat of it changes nothing.
    external_id = models.CharField(max_length=100, null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(condition=models.Q(score__gte=0, score__lte=10), name="accounts_nps_score"),
            models.UniqueConstraint(fields=["tenant", "external_id"], name="accounts_nps_external_id"),
        ]
        indexes = [
            # Read by rules and the user's page: the last answer of a user.
            models.Index(fields=["tenant", "end_user", "-answered_at", "-id"], name="accounts_nps_of_user"),
            # Read by the account's page.
            models.Index(fields=["tenant", "account", "-answered_at", "-id"], name="accounts_nps_of_account"),
            # Read by the report.
            models.Index(fields=["tenant", "-answered_at", "-id"], name="accounts_nps_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.score} by {self.end_user_id}"
