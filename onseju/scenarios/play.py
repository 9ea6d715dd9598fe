"""Plays a scenario's steps on a target and gathers what came out."""

from __future__ import annotations

import msgspec

from onseju.scenarios.form import BookForm, Scenario, Step
from onseju.scenarios.target import Observation, Target


class Played(msgspec.Struct, kw_only=True):
    """What came out of a scenario. Steps are told by their index from 0."""

    observation: Observation
    refused_new: list[int]
    refused_other: list[int]
    checkpoints: list[BookForm]
    problems: list[str]
    """What went wrong besides: a step that the target cannot do at all."""


def play(scenario: Scenario, target: Target) -> Played:
    """Play one scenario from an empty venue. Raises `CannotPlayError` where the target cannot set it up."""
    target.begin(scenario)
    refused_new: list[int] = []
    refused_other: list[int] = []
    problems: list[str] = []
    checkpoints: list[BookForm] = []
    wanted = {checkpoint.after for checkpoint in scenario.checkpoints}
    labels: set[str] = set()
    for index, step in enumerate(scenario.steps):
        if step.op == "new":
            if not _may_use_label(scenario, step, labels, target) or not target.new(step):
                refused_new.append(index)
            else:
                labels.add(step.id)
        elif (step.part_id and step.part_id in labels) or not _do_other(step, target):
            refused_other.append(index)
            if step.op not in ("cancel", "modify") and index not in scenario.expected_refusals:
                problems.append(f"step {index}: the target does not do {step.op} {step.to}".rstrip())
        elif step.part_id:
            labels.add(step.part_id)
        if index in wanted:
            checkpoints.append(target.book())
    return Played(
        observation=target.observe(),
        refused_new=refused_new,
        refused_other=refused_other,
        checkpoints=checkpoints,
        problems=problems,
    )


def _may_use_label(scenario: Scenario, step: Step, labels: set[str], target: Target) -> bool:
    """A label is an order's name: never twice while its order is live, and afterwards only by the rule `id_reuse`."""
    return step.id not in labels or (bool(scenario.rule("id_reuse")) and not target.is_live(step.id))


def _do_other(step: Step, target: Target) -> bool:
    match step.op:
        case "cancel":
            return target.cancel(step)
        case "modify":
            return target.modify(step)
        case "phase":
            return target.change_phase(step.to)
        case "auction":
            return target.change_phase("opening_auction")
        case "uncross":
            return target.uncross()
    return False
