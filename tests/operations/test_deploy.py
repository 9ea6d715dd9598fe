"""The examples of deploy/ name only commands, options, settings, files and topics that exist."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from onseju.cli import app
from onseju.nodes.names import groups, topics
from onseju.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "onseju"}
SECRET = re.compile(r"ONSEJU_[A-Z_]+")


def parse(arguments: list[str]) -> None:
    """Fail where the command line has no such command or option, or refuses the value."""
    group: Any = typer.main.get_command(app)
    name, *rest = arguments
    group.commands[name].make_context(name, rest)


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text("utf-8"))
    return parser


def manifests() -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text("utf-8"))


def containers() -> Iterator[dict[str, Any]]:
    for manifest in manifests():
        if "template" in manifest["spec"]:
            yield from manifest["spec"]["template"]["spec"]["containers"]


def test_the_settings_of_the_set_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = tomllib.loads((DEPLOY / "onseju.toml").read_text("utf-8"))
    assert set(values) <= set(Settings.model_fields)
    (tmp_path / "onseju.toml").write_bytes((DEPLOY / "onseju.toml").read_bytes())
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    assert {name: getattr(settings, name) for name in values} | {"data_dir": str(settings.data_dir)} == values


@pytest.mark.parametrize(
    "path", sorted(path for path in DEPLOY.rglob("*") if path.is_file()), ids=lambda path: path.name
)
def test_variables_are_settings(path: Path) -> None:
    named = {name.removeprefix("ONSEJU_").lower() for name in SECRET.findall(path.read_text("utf-8"))}
    assert named <= set(Settings.model_fields)


@pytest.mark.parametrize("name", OURS)
def test_containers_run_commands_that_there_are(name: str) -> None:
    parse(OURS[name]["command"])


def test_the_composed_set_is_whole() -> None:
    kinds = [service["command"][0] for service in OURS.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {"exchange": 2, "projector": 2, "gateway": 2}
    gateways = [service for service in OURS.values() if service["command"][0] == "gateway"]
    assert len({tuple(service["command"]) for service in gateways}) == len({tuple(s["ports"]) for s in gateways}) == 2
    services = COMPOSE["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    settings = tomllib.loads((DEPLOY / "onseju.toml").read_text("utf-8"))
    assert settings["rocketmq_endpoints"].split(":")[0] in services
    assert int(services["topics"]["command"][-1]) == len(gateways)


def test_topics_and_groups_are_those_that_the_processes_use(tmp_path: Path) -> None:
    (tmp_path / "mqadmin").write_text('echo "$1 $5 $*"\n', "utf-8")
    script = DEPLOY / "rocketmq" / "make-topics.sh"
    done = subprocess.run(
        ["sh", script, "b:1", "7", "3"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=20
    )
    made = [line.split()[:2] for line in done.stdout.splitlines()]
    assert [name for what, name in made if what == "updateTopic"] == topics(7)
    assert [name for what, name in made if what == "updateSubGroup"] == groups(7, range(1, 4))


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_run_commands_that_there_are(path: Path) -> None:
    service = unit(path)["Service"]
    program, *arguments = shlex.split(service["ExecStart"].replace("%i", "3"))
    assert program.endswith("/bin/onseju")
    parse(arguments)
    assert service["Restart"] == "always"
    settings = tomllib.loads((DEPLOY / "onseju.toml").read_text("utf-8"))
    assert settings["data_dir"] == f"/var/lib/{service['StateDirectory']}"
    assert f"onseju-{arguments[0]}" in path.name


def test_pods_run_commands_that_there_are() -> None:
    kinds = []
    for container in containers():
        command = container.get("args") or shlex.split(
            container["command"][-1].removeprefix("exec onseju ").replace("$((${HOSTNAME##*-} + 1))", "1")
        )
        parse(command)
        kinds.append(command[0])
        names = {port["name"]: port["containerPort"] for port in container["ports"]}
        settings = tomllib.loads((DEPLOY / "onseju.toml").read_text("utf-8"))
        assert set(names.values()) == {settings["port" if command[0] == "gateway" else "status_port"]}
        for probe in ("livenessProbe", "startupProbe", "readinessProbe"):
            if probe in container:
                asked = container[probe]["httpGet"]
                assert asked["port"] in names
                assert asked["path"] in ("/healthz", "/readyz")
                hosts = [header["value"] for header in asked.get("httpHeaders", ())]
                assert command[0] != "gateway" or (hosts and set(hosts) <= set(settings["allowed_hosts"]))
    assert sorted(kinds) == ["exchange", "gateway", "projector"]


def test_a_pods_number_counts_from_one() -> None:
    (text,) = [container["command"][-1] for container in containers() if "command" in container]
    said = subprocess.run(
        ["sh", "-c", text.replace("exec onseju", "echo")],
        env={"HOSTNAME": "onseju-gateway-11", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert said.stdout.split() == ["gateway", "--gateway-id", "12"]


def test_selectors_find_their_pods() -> None:
    labels = [m["spec"]["template"]["metadata"]["labels"] for m in manifests() if "template" in m["spec"]]
    for manifest in manifests():
        selector = manifest["spec"]["selector"]
        assert selector.get("matchLabels", selector) in labels
