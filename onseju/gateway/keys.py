"""API keys for bots: make, list, revoke."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract.reasons import Reason
from onseju.contract.views import timestamp
from onseju.gateway.answers import json_response, no_content
from onseju.gateway.body import read_body
from onseju.gateway.context import gateway_of, principal_of
from onseju.gateway.operations import Operations, Parameter
from onseju.gateway.principal import READ, TRADE
from onseju.gateway.problems import FieldError, Problem
from onseju.identity.records import InvalidNameError, TooManyKeysError

operations = Operations("keys")

ScopeName = Literal["read", "trade", "admin"]


class NewKeyForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the key is called, and what it may do: some of what its maker may."""

    name: Annotated[str, msgspec.Meta(max_length=256, description="1 to 64 characters.", examples=["my first bot"])]
    scopes: Annotated[list[ScopeName], msgspec.Meta(min_length=1, max_length=3)] = msgspec.field(
        default_factory=lambda: ["read", "trade"]
    )
    kind: Literal["bearer", "signed"] = "bearer"
    """`bearer` keys are sent whole; `signed` ones sign each request, and their secret never travels."""


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret."""

    key_id: str
    name: str
    scopes: list[str]
    kind: str
    created: str


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new key, as `KEY.SECRET`. Its secret is told here and never again: send `Authorization: Bearer` and `api_key`, or
    sign with the secret."""

    api_key: str
    key_id: str
    name: str
    scopes: list[str]
    kind: str


class Keys(msgspec.Struct, frozen=True):
    """A user's keys, newest first."""

    keys: list[KeyView]


@operations.add(
    "POST",
    "/v1/api-keys",
    summary="Make an API key",
    scope=TRADE,
    limit="query",
    body=NewKeyForm,
    responses={201: NewKey},
    max_body_bytes=8 * 1024,
)
async def create(request: Request) -> Response:
    """The key as `KEY.SECRET`."""
    principal = principal_of(request)
    if principal.user_id == 0:
        raise Problem(Reason.FORBIDDEN)  # the bootstrap key is no user's
    form = await read_body(request, NewKeyForm)
    scopes = frozenset(form.scopes)
    if not scopes <= principal.scopes:
        raise Problem(Reason.FORBIDDEN, errors=[FieldError("scopes", "invalid_scopes")])
    try:
        api_key = await gateway_of(request).identity.create_key(
            principal.user_id, form.name, scopes, signed=form.kind == "signed"
        )
    except InvalidNameError:
        raise Problem(Reason.MALFORMED, errors=[FieldError("name", "invalid_key_name")]) from None
    except TooManyKeysError:
        raise Problem(Reason.CONFLICT) from None
    key_id = api_key.partition(".")[0]
    view = NewKey(api_key=api_key, key_id=key_id, name=form.name, scopes=sorted(scopes), kind=form.kind)
    return json_response(view, 201)


@operations.add("GET", "/v1/api-keys", summary="List one's API keys", scope=READ, limit="query", responses={200: Keys})
async def list_keys(request: Request) -> Response:
    """The keys, without their secrets."""
    keys = await gateway_of(request).identity.list_keys(principal_of(request).user_id)
    views = [
        KeyView(
            key_id=key.key_id,
            name=key.name,
            scopes=list(key.scopes),
            kind="signed" if key.signed else "bearer",
            created=timestamp(key.created_ts),
        )
        for key in keys
    ]
    return json_response(Keys(views))


@operations.add(
    "DELETE",
    "/v1/api-keys/{key_id}",
    summary="Revoke an API key",
    scope=TRADE,
    limit="query",
    responses={204: None},
    parameters=(Parameter("key_id", "The key's public half.", where="path", required=True),),
)
async def delete(request: Request) -> Response:
    """From now on the key opens nothing."""
    deleted = await gateway_of(request).identity.delete_key(
        principal_of(request).user_id, request.path_params["key_id"]
    )
    if not deleted:
        raise Problem(Reason.NOT_FOUND)
    return no_content()
