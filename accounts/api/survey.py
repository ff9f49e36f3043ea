"""The survey as customers' pages ask for it: `/nps/v1/…`, from other origins, without cookies, with a user's token.

A preflight carries no token, so it cannot tell workspaces apart and says the same to everybody. The request itself is
held to the origins of the survey: from another one nothing is told and nothing is done.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.api.survey_limits import seconds_to_wait
from accounts.models import EndUser, NpsSurvey
from accounts.nps.answers import MAX_COMMENT, account_of, record_answer
from accounts.nps.eligibility import may_be_asked
from accounts.nps.showings import dismiss, record_showing
from accounts.nps.survey import complete_theme, the_survey
from accounts.nps.tokens import UserToken, read_token
from cs_platform.rest.json import strict_json
from cs_platform.rest.problems import Invalid
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant

logger = logging.getLogger(__name__)

MAX_BYTES = 32 * 1024
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "7200",
}
NOT_VALID = "This token is not valid here."


class Refusal(Exception):
    def __init__(self, status: HTTPStatus, words: str, headers: Mapping[str, str] = {}) -> None:
        super().__init__(words)
        self.status, self.headers = status, headers


@dataclass(frozen=True, slots=True)
class Visit:
    """One good request: whose, about which survey, when."""

    token: UserToken
    survey: NpsSurvey
    body: Mapping[str, Any]
    now: datetime
    zone: ZoneInfo

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @property
    def since(self) -> date:
        """A page may be open since the day its token was made, not longer."""
        return self.token.issued_at.astimezone(self.zone).date()

    @property
    def may_be_asked(self) -> bool:
        token = self.token
        return may_be_asked(
            token.user_id, survey=self.survey, account_id=token.account_id, now=self.now, today=self.today
        )


Act = Callable[[Visit], Mapping[str, Any]]


def endpoint(verb: str) -> Callable[[Act], Callable[[HttpRequest], HttpResponse]]:
    """Preflight, verb, size, token, origin and limits, in this order; errors are JSON too."""

    def decorate(act: Act) -> Callable[[HttpRequest], HttpResponse]:
        @csrf_exempt
        @wraps(act)
        def view(request: HttpRequest) -> HttpResponse:
            if request.method == "OPTIONS":
                return HttpResponse(status=HTTPStatus.NO_CONTENT, headers=PREFLIGHT_HEADERS)
            response = _guarded(request, act) if request.method == verb else _not_this_verb(verb)
            response["Cache-Control"] = "no-store"
            response["Vary"] = "Origin"
            return response

        return view

    return decorate


def _guarded(request: HttpRequest, act: Act) -> HttpResponse:
    try:
        return _answered(request, act)
    except Refusal as refusal:
        return _refused(refusal.status, str(refusal), refusal.headers)
    except (DatabaseError, InterfaceError):
        logger.exception("The database did not answer the survey")
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "Try again in a moment.", {"Retry-After": "5"})


def _answered(request: HttpRequest, act: Act) -> HttpResponse:
    token = _token(request)
    tenant = Tenant.objects.filter(pk=token.tenant_id).first() if token else None
    if token is None or tenant is None:
        raise Refusal(HTTPStatus.UNAUTHORIZED, NOT_VALID)
    with tenant_context(tenant.pk):
        now, survey = database_now(), the_survey()
        origin = request.headers.get("Origin")
        if not token.holds_at(now) or not (origin is None or origin in survey.origins):
            raise Refusal(HTTPStatus.UNAUTHORIZED, NOT_VALID)
        allowed = {"Access-Control-Allow-Origin": origin} if origin else {}
        if wait := seconds_to_wait(tenant.pk, token.user_id):
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "Too often. Wait.", allowed | {"Retry-After": str(wait)})
        visit = Visit(token, survey, _body(request, allowed), now, ZoneInfo(tenant.timezone))
        try:
            return JsonResponse(act(visit), headers=allowed)
        except Refusal as refusal:
            refusal.headers = allowed
            raise


def _token(request: HttpRequest) -> UserToken | None:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return read_token(text.strip()) if scheme.lower() == "bearer" else None


def _body(request: HttpRequest, headers: Mapping[str, str]) -> Mapping[str, Any]:
    """An object, or nothing at all."""
    raw = request.read(MAX_BYTES + 1) if request.method == "POST" else b""
    try:
        body = strict_json(raw, limit=MAX_BYTES) if raw.strip() else {}
    except Invalid as invalid:
        raise Refusal(HTTPStatus.BAD_REQUEST, str(invalid), headers) from None
    if not isinstance(body, dict):
        raise Refusal(HTTPStatus.BAD_REQUEST, "Send a JSON object.", headers)
    return body


def _refused(status: HTTPStatus, words: str, headers: Mapping[str, str] = {}) -> JsonResponse:
    return JsonResponse({"error": words}, status=status, headers=dict(headers))


def _not_this_verb(verb: str) -> JsonResponse:
    return _refused(HTTPStatus.METHOD_NOT_ALLOWED, f"Use {verb}.", {"Allow": f"{verb}, OPTIONS"})


# --- what there is to ask ---------------------------------------------------------------------------------------------


@endpoint("GET")
def survey(visit: Visit) -> Mapping[str, Any]:
    """Whether to show it now, and how. Never why not."""
    if not visit.may_be_asked:
        return {"show": False}
    survey = visit.survey
    words = {"question": survey.question, "follow_up": survey.follow_up, "thanks": survey.thanks}
    return {"show": True, **words, "theme": complete_theme(survey.theme)}


@endpoint("POST")
def shown(visit: Visit) -> Mapping[str, Any]:
    if visit.may_be_asked:
        record_showing(visit.token.user_id, now=visit.now, today=visit.today)
    return {}


@endpoint("POST")
def dismissed(visit: Visit) -> Mapping[str, Any]:
    dismiss(visit.token.user_id, since=visit.since, now=visit.now)
    return {}


@endpoint("POST")
def answer(visit: Visit) -> Mapping[str, Any]:
    """Also when the survey was switched off meanwhile: who was asked is heard."""
    score, comment = _score(visit.body), _comment(visit.body)
    user_id = visit.token.user_id
    if not EndUser.objects.filter(pk=user_id, archived_at__isnull=True).exists():
        return {"accepted": False}
    account_id = account_of(user_id, wanted=visit.token.account_id)
    accepted = record_answer(
        user_id, account_id=account_id, score=score, comment=comment, since=visit.since, now=visit.now
    )
    return {"accepted": accepted}


def _score(body: Mapping[str, Any]) -> int:
    score = body.get("score")
    if isinstance(score, bool) or not isinstance(score, int) or not 0 <= score <= 10:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Send `score` as a whole number from 0 to 10.")
    return score


def _comment(body: Mapping[str, Any]) -> str | None:
    """None: nothing is said about it."""
    comment = body.get("comment")
    if comment is None:
        return None
    if not isinstance(comment, str) or len(comment) > MAX_COMMENT:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"Send `comment` as a text of {MAX_COMMENT:,} characters at most.")
    return comment.strip()
