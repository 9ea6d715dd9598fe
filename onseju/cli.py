"""The command line. `onseju --help` is the reference."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Literal, NoReturn

import httpx
import typer
import uvloop
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from onseju import __version__, cli_data, cli_journal, cli_nodes
from onseju.gateway.logs import configure_logs
from onseju.journal.port import JournalError
from onseju.matching import engines
from onseju.matching.engines import EngineMissingError, EngineName
from onseju.settings import Settings

app = typer.Typer(
    name="onseju",
    help="온세주: a stock exchange that anyone can run.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
account_app = typer.Typer(help="Accounts for people and bots.", no_args_is_help=True)
scenarios_app = typer.Typer(help="Facts about how a correct book behaves, played on an engine.", no_args_is_help=True)
app.add_typer(account_app, name="account")
app.add_typer(scenarios_app, name="scenarios")
app.add_typer(cli_journal.app, name="journal")
app.add_typer(cli_data.app, name="projections")
app.command("backup")(cli_data.backup)
app.command("restore")(cli_data.restore)
app.command("exchange")(cli_nodes.exchange)
app.command("gateway")(cli_nodes.gateway)
app.command("projector")(cli_nodes.projector)

console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)

MarketHours = Literal["krx", "always", "fast"]
ENGINE_HELP = "The matching engine. Default: native, or reference where the native core is not compiled."


def main() -> None:
    """The entry point."""
    app()


@app.command()
def version() -> None:
    """Print the version."""
    console.print(__version__)


@app.command()
def up(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Default 127.0.0.1: this machine only.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port. Default 8000; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the data lies. Default ./data.")] = None,
    rules: Annotated[
        str | None, typer.Option(help="The rules of a new venue: krx, plain, or a TOML file of your own. Default krx.")
    ] = None,
    market_hours: Annotated[
        MarketHours | None,
        typer.Option(help="Korea's hours, always open, or a trading day in about a minute. Default always."),
    ] = None,
    engine: Annotated[EngineName | None, typer.Option(help=ENGINE_HELP)] = None,
    bots: Annotated[bool | None, typer.Option("--bots/--no-bots", help="A market that lives. Default: bots.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Fixes the bots' draws, and the auctions' random ends, which are secret without it."),
    ] = None,
    allow_plain_http: Annotated[
        bool | None, typer.Option("--allow-plain-http", help="Let browsers log in over plain http from other machines.")
    ] = None,
    scaled: Annotated[
        bool,
        typer.Option(
            "--scaled", help="As many processes, over RocketMQ and PostgreSQL: on this machine, for trying out."
        ),
    ] = False,
    gateways: Annotated[int, typer.Option(help="With --scaled: how many gateways.", min=1, max=16)] = 2,
) -> None:
    """Start the exchange: everything in one command, nothing to install."""
    from onseju.nodes.starting import CannotStartError
    from onseju.serve import serve

    settings = _settings(
        host=host,
        port=port,
        data_dir=data_dir,
        rules=rules,
        market_hours=market_hours,
        engine=engine,
        bots=bots,
        seed=seed,
        allow_plain_http=allow_plain_http,
    )
    _configure_logs(settings)
    if scaled:
        cli_nodes.up_scaled(settings, gateways)
    try:
        status = uvloop.run(serve(settings, console))
    except (CannotStartError, JournalError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        status = 0
    raise typer.Exit(status)


@account_app.command("create")
def account_create(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    cash: Annotated[int | None, typer.Option(help="Cash to begin with. Default: what every new account gets.")] = None,
    holding: Annotated[list[str] | None, typer.Option(help="SYMBOL=QTY, may be repeated.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Work on this data folder while the server is stopped.")] = None,
    url: Annotated[str | None, typer.Option(help="Work through a running server.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False,
    key_only: Annotated[bool, typer.Option("--key-only", help="Print the API key alone.")] = False,
) -> None:
    """Open an account and print its API key, which is shown only now.

    Without --url and --data-dir it talks to the server on this machine.
    """
    body: dict[str, Any] = {"name": name}
    if cash is not None:
        body["cash"] = cash
    if holding:
        body["holdings"] = _holdings(holding)
    settings = _settings(data_dir=data_dir)
    if url is None and data_dir is not None:
        answer = _offline(settings, body)
    else:
        answer = _online(url or f"http://{settings.host}:{settings.port}", settings, body)
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    elif key_only:
        sys.stdout.write(f"{answer['api_key']}\n")
    else:
        console.print(f"account {answer['account_id']} for {name}\nAPI key {answer['api_key']}  (shown only now)")


def _holdings(pairs: list[str]) -> dict[str, int]:
    holdings = {}
    for pair in pairs:
        symbol, _, qty = pair.partition("=")
        if not qty.isdigit():
            _fail(f"--holding {pair}: write SYMBOL=QTY, for example 005930=10")
        holdings[symbol] = int(qty)
    return holdings


def _online(url: str, settings: Settings, body: dict[str, Any]) -> dict[str, Any]:
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            answer = client.post("/v1/admin/accounts", json=body, headers=_admin(settings))
    except httpx.TransportError as error:
        _fail(
            f"No server answers at {url} ({error}). Start it with `onseju up`, name it with --url, "
            "or work on a stopped one with --data-dir."
        )
    return _account(answer)


def _offline(settings: Settings, body: dict[str, Any]) -> dict[str, Any]:
    """The same call on the same stages, without a port."""
    from onseju.app import Venue
    from onseju.nodes.starting import CannotStartError

    _configure_logs(settings)

    async def create() -> httpx.Response:
        venue = Venue(settings)
        async with (
            venue.running(schedule=False),
            httpx.AsyncClient(transport=httpx.ASGITransport(venue.app()), base_url="http://localhost") as client,
        ):
            return await client.post("/v1/admin/accounts", json=body, headers=_admin(venue.settings))

    try:
        return _account(asyncio.run(create()))
    except CannotStartError as error:
        _fail(str(error))
    except JournalError as error:
        _fail(f"{error} If the server is running, use --url instead of --data-dir.")


def _admin(settings: Settings) -> dict[str, str]:
    if settings.admin_key is not None:
        key = settings.admin_key.get_secret_value()
    else:
        path = settings.data_dir / "admin.key"
        try:
            key = path.read_text("ascii").strip()
        except OSError as error:
            _fail(f"{path} cannot be read ({error.strerror}). Set ONSEJU_ADMIN_KEY, or run this where the data lies.")
    return {"Authorization": f"Bearer {key}", "Accept-Language": "en"}


def _account(answer: httpx.Response) -> dict[str, Any]:
    content: dict[str, Any] = answer.json()
    if answer.status_code != 201:
        fields = "".join(
            f"\n  {wrong['field']}: {wrong.get('detail', wrong['code'])}" for wrong in content.get("errors", [])
        )
        _fail(f"Refused: {content.get('detail', answer.text)} ({content.get('code', answer.status_code)}){fields}")
    return {"account_id": content["account_id"], "api_key": content["api_key"]}


@scenarios_app.command("run")
def scenarios_run(
    file: Annotated[Path, typer.Argument(help="A JSON file of scenarios.", exists=True, dir_okay=False)],
    engine: Annotated[
        Literal["native", "reference", "server"] | None,
        typer.Option(help="What to play them on. Default: native, or reference where the native core is not compiled."),
    ] = None,
) -> None:
    """Play scenarios: a line for each, a diff for each that fails, a count; exit 1 if any failed."""
    from onseju.scenarios.runner import main as run

    try:
        raise typer.Exit(run(file, engine or engines.choose(None).name))
    except EngineMissingError as error:
        _fail(str(error))


@app.command()
def replay(
    journal: Annotated[
        Path, typer.Argument(help="A journal's folder: DATA_DIR/journal.", exists=True, file_okay=False)
    ],
    engine: Annotated[EngineName | None, typer.Option(help=ENGINE_HELP)] = None,
) -> None:
    """Replay a journal: print its events as JSON lines, then the state hash."""
    from onseju.app import replay_journal

    try:
        choice = engines.choose(engine)
        if choice.lack is not None:
            errors.print(
                f"Replayed on the reference engine, slowly: {choice.lack}. {engines.advice()}", highlight=False
            )
        raise typer.Exit(replay_journal(journal, choice.name, sys.stdout))
    except (EngineMissingError, JournalError) as error:
        _fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader, such as `head`, has seen enough
        raise typer.Exit(0) from None


def _settings(**options: Any) -> Settings:
    """The settings, the options that were given put over them."""
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, problem['loc']))}: {_what_is_wrong(problem)}" for problem in error.errors()]
        _fail("The settings are not right.\n  " + "\n  ".join(lines))
    except TOMLDecodeError as error:
        _fail(f"onseju.toml cannot be read: {error}.")
    except SettingsError as error:
        _fail(f'The settings are not right: {error}. A list in the environment is JSON: ["a", "b"].')


def settings_of(**options: Any) -> Settings:
    """The settings of a process of its own, its logs configured by them."""
    settings = _settings(**options)
    _configure_logs(settings)
    return settings


def _configure_logs(settings: Settings) -> None:
    configure_logs(json={"json": True, "text": False}.get(settings.log_format), level=settings.log_level)


def _what_is_wrong(problem: Any) -> str:
    return "there is no such setting" if problem["type"] == "extra_forbidden" else str(problem["msg"])


def _fail(text: str) -> NoReturn:
    errors.print(text, markup=False, highlight=False)
    raise typer.Exit(1)
