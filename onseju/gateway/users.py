"""Sign-up, log-in, log-out, and who one is."""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract.reasons import Reason
from onseju.contract.views import timestamp
from onseju.gateway.answers import json_response, no_content
from onseju.gateway.body import read_body
from onseju.gateway.context import Gateway, gateway_of, principal_of
from onseju.gateway.cookies import cookie_name, set_cookie
from onseju.gateway.guesses import guess
from onseju.gateway.limits import Limits
from onseju.gateway.openings import open_account
from onseju.gateway.operations import PUBLIC, Operations
from onseju.gateway.principal import READ, SCOPES
from onseju.gateway.problems import FieldError, Problem, language_of
from onseju.identity.records import (
    BusyError,
    InvalidNameError,
    InvalidPasswordError,
    NameTakenError,
    User,
    WrongPasswordError,
)
from onseju.identity.tokens import csrf_token

operations = Operations("users")

Name = Annotated[
    str,
    msgspec.Meta(
        max_length=256,
        description="2 to 32 letters, digits, Korean syllables, or one of . _ -",
        examples=["김철수"],
    ),
]
Password = Annotated[
    str,
    msgspec.Meta(
        max_length=1024,
        description="At least 8 characters, at most 256 bytes.",
        extra_json_schema={"format": "password"},
    ),
]

PLAIN_HTTP = {
    "ko": "이 주소(http)에서는 로그인할 수 없습니다. https로 열거나 --allow-plain-http로 시작해 주세요.",
    "en": "Logging in on this plain http address is off. Use https, or start the server with --allow-plain-http.",
}


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name and its password."""

    name: Name
    password: Password


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user and the account that was opened for it."""

    user_id: int
    name: str
    account_id: int
    seq: int


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who one is. Without a session there is no CSRF token."""

    user_id: int
    name: str
    account_id: int | None
    scopes: list[str]
    via: str
    csrf_token: str | None
    """To be sent as `X-CSRF-Token` with every write of this session."""


class NewSession(SessionView, frozen=True, kw_only=True):
    """A new session; its cookie is in the answer's headers."""

    expires: str


@operations.add(
    "POST",
    "/v1/users",
    summary="Sign up: a user and its account, with play money",
    scope=PUBLIC,
    limit="login",
    body=Credentials,
    responses={201: NewUser},
    csrf=False,
    max_body_bytes=8 * 1024,
)
async def sign_up(request: Request) -> Response:
    """The new user. Sending the same again after a lost answer finishes what is unfinished."""
    gateway = gateway_of(request)
    if gateway.settings.sign_up != "open":
        raise Problem(Reason.SIGN_UP_CLOSED)
    form = await read_body(request, Credentials)
    try:
        user = await gateway.identity.sign_up(form.name, form.password)
    except NameTakenError:
        user = await _unfinished(gateway, form)
    except InvalidNameError:
        raise Problem(Reason.MALFORMED, errors=[FieldError("name", "invalid_name")]) from None
    except InvalidPasswordError:
        raise Problem(Reason.MALFORMED, errors=[FieldError("password", "invalid_password")]) from None
    except BusyError:
        raise Problem(Reason.OVERLOADED) from None
    user, seq = await open_account(gateway, user)
    return json_response(
        NewUser(user_id=user.user_id, name=user.name, account_id=user.account_id, seq=seq), 201, seq=seq
    )


@operations.add(
    "POST",
    "/v1/session",
    summary="Log in",
    scope=PUBLIC,
    limit="login",
    body=Credentials,
    responses={201: NewSession},
    csrf=False,
    max_body_bytes=8 * 1024,
)
async def log_in(request: Request) -> Response:
    """The session's cookie (HttpOnly), and its CSRF token in the body."""
    gateway = gateway_of(request)
    name = cookie_name(request.scope["scheme"], request.headers["host"], gateway.settings)
    if name is None:
        raise Problem(Reason.FORBIDDEN, detail=PLAIN_HTTP[language_of(request)])
    form = await read_body(request, Credentials)
    limits: Limits = request.app.state.limits
    try:
        async with guess(gateway, limits, form.name):
            user = await gateway.identity.check_password(form.name, form.password)
            if not user.account_ready:
                proved = user.password_changes
                user, _ = await open_account(gateway, user)
                user = msgspec.structs.replace(user, password_changes=proved)
            session = await gateway.identity.start_session(user)
    except WrongPasswordError:
        raise Problem(Reason.WRONG_PASSWORD) from None
    except BusyError:
        raise Problem(Reason.OVERLOADED) from None
    earlier = request.state.session_token
    if earlier is not None:
        await gateway.identity.log_out(earlier)
    view = NewSession(
        user_id=user.user_id,
        name=user.name,
        account_id=user.account_id,
        scopes=session.scopes,
        via="session",
        csrf_token=session.csrf_token,
        expires=timestamp(session.expires_ts),
    )
    cookie = set_cookie(name, session.token, gateway.settings.session_hours * 3600)
    return json_response(view, 201, headers={"Set-Cookie": cookie})


@operations.add("GET", "/v1/session", summary="Who one is", scope=READ, limit="query", responses={200: SessionView})
async def who_am_i(request: Request) -> Response:
    """The caller, by session or key; for a session its CSRF token again."""
    principal = principal_of(request)
    token = request.state.session_token
    view = SessionView(
        user_id=principal.user_id,
        name=principal.name,
        account_id=principal.account_id or None,
        scopes=[scope for scope in SCOPES if principal.may(scope)],
        via=principal.via,
        csrf_token=None if token is None else csrf_token(token),
    )
    return json_response(view)


@operations.add("DELETE", "/v1/session", summary="Log out", scope=PUBLIC, limit="query", responses={204: None})
async def log_out(request: Request) -> Response:
    """Ends the session and takes its cookie away."""
    gateway = gateway_of(request)
    token = request.state.session_token
    name = cookie_name(request.scope["scheme"], request.headers["host"], gateway.settings)
    if token is None or name is None:
        return no_content()
    await gateway.identity.log_out(token)
    return no_content(headers={"Set-Cookie": set_cookie(name, "", 0)})


async def _unfinished(gateway: Gateway, form: Credentials) -> User:
    """The user of a sign-up that a crash or a busy exchange cut short, if this is its owner."""
    user = await gateway.identity.user_by_name(form.name)
    if user is None or user.account_ready:
        raise Problem(Reason.NAME_TAKEN)
    try:
        return await gateway.identity.check_password(form.name, form.password)
    except WrongPasswordError:
        raise Problem(Reason.NAME_TAKEN) from None
    except BusyError:
        raise Problem(Reason.OVERLOADED) from None
