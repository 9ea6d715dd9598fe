"""What a browser finds besides the API: the landing page, the documentation, the list of problems. All from this host."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

import msgspec
import swagger_ui_bundle  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from onseju import __version__
from onseju.contract.reasons import Reason
from onseju.gateway.openapi import document
from onseju.gateway.operations import PUBLIC, Operation, Operations
from onseju.gateway.problems import RETRYABLE, RULE_REFUSAL, STATUS, Problem

_ASSETS = frozenset({"swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"})

_STYLE = (
    "body{font:16px/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.4rem .6rem;text-align:left;"
    "vertical-align:top}code{font:.9em ui-monospace,monospace}:target{background:#fff3bf}"
)

_SWAGGER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Onseju API</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>
<noscript><a href="/openapi.json">openapi.json</a></noscript></body></html>
"""

_START = """"use strict";
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  syntaxHighlight: { activated: true },
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout"
});
"""


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="ko"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def landing_page() -> str:
    """What runs here, for who opens the address without a built web page."""
    return _page(
        "온세주 Onseju",
        "<h1>온세주 Onseju</h1>"
        f'<p>여기서 주식 거래소가 돌고 있습니다 (버전 {escape(__version__)}). <a href="/docs">API 문서</a>를 열어 보세요.</p>'
        f'<p lang="en">A stock exchange runs here (version {escape(__version__)}). Open <a href="/docs">the API\'s '
        'documentation</a>.</p><ul><li><a href="/docs">/docs</a></li><li><a href="/docs/problems">/docs/problems</a></li>'
        '<li><a href="/openapi.json">/openapi.json</a></li><li><a href="/v1/symbols">/v1/symbols</a></li>'
        '<li><a href="/v1/clock">/v1/clock</a></li></ul>',
    )


def problems_page() -> str:
    """Every reason code, its status and both its sentences."""
    rows = []
    for reason in Reason:
        if reason is Reason.NONE:
            continue
        status = str(STATUS.get(reason, RULE_REFUSAL))
        again = " · retryable" if reason in RETRYABLE else ""
        rows.append(
            f'<tr id="{reason.code}"><td><code>{reason.code}</code></td><td>{status}{again}</td>'
            f'<td>{escape(reason.sentence("ko"))}</td><td lang="en">{escape(reason.sentence("en"))}</td></tr>'
        )
    return _page(
        "Onseju: problems",
        "<h1>거절 사유 Problems</h1><p>모든 거절에는 이 목록의 코드가 붙습니다.</p>"
        '<p lang="en">Every refusal carries a code of this list, as <code>application/problem+json</code> (RFC 9457). '
        "Those without a status of their own are refusals by the market's rules: 422, or the reason why an order "
        "ended.</p><table><thead><tr><th>code</th><th>status</th><th>한국어</th><th>English</th></tr></thead><tbody>"
        + "".join(rows)
        + "</tbody></table>",
    )


def documentation(table: Iterable[Operation], *, landing: bool) -> Operations:
    """The addresses of the documentation of these operations, and of the landing page where it is wanted."""
    operations = Operations("documentation")
    openapi = msgspec.json.encode(document(table))
    problems = problems_page()
    welcome = landing_page()
    assets = StaticFiles(directory=Path(str(swagger_ui_bundle.swagger_ui_path)))

    def page(path: str, summary: str, content: str | bytes, media_type: str = "text/html") -> None:
        @operations.add("GET", path, summary=summary, responses={200: None}, scope=PUBLIC, limit="public")
        async def show(request: Request) -> Response:
            return Response(content, media_type=media_type)

    if landing:
        page("/", "What runs here", welcome)
    page("/openapi.json", "This API as an OpenAPI document", openapi, "application/json")
    page("/docs", "The API's documentation", _SWAGGER)
    page("/docs/start.js", "Starts the documentation", _START, "text/javascript")
    page("/docs/problems", "All reason codes", problems)

    @operations.add(
        "GET", "/docs/assets/{name}", summary="Files of Swagger UI", responses={200: None}, scope=PUBLIC, limit="public"
    )
    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise Problem(Reason.NOT_FOUND)
        return await assets.get_response(name, request.scope)

    return operations
