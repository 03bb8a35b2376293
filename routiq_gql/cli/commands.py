"""The commands of ``routiq-gql``, and their groups.

A command's module is imported only when the command is called; ``--help`` and shell completion use the table here. A
test compares the table with the commands.
"""

import gc
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import typer.main
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Listed:
    """A command as ``--help`` lists it.

    Attributes:
        panel: The heading above it.
        summary: The first paragraph of the command's help.
        module: The module of its ``app``, within this package; the command's name if empty.
    """

    panel: str
    name: str
    summary: str
    module: str = ""


RUNNING, ORGANIZATIONS, SYNCS, PATIENTS = "Run", "Organizations", "Syncs", "Patients"
OPERATION, TOOLS = "Operation", "Tools"

COMMANDS = (
    Listed(RUNNING, "demo", "Run an emulated clinic, the server with its page, and one sync with a progress bar."),
    Listed(RUNNING, "serve", "Serve GraphQL, REST and the page. With SQLite this process also runs the syncs."),
    Listed(RUNNING, "worker", "Run syncs that any process has started. Needs PostgreSQL."),
    Listed(RUNNING, "workers", "Show the processes that run syncs, and the syncs that wait. Needs PostgreSQL."),
    Listed(ORGANIZATIONS, "connect", "Connect an organization to Cliniko, or replace its API key."),
    Listed(ORGANIZATIONS, "disconnect", "Remove an organization's API key and end its running sync."),
    Listed(ORGANIZATIONS, "connections", "List the connections to Cliniko, without their keys."),
    Listed(ORGANIZATIONS, "status", "List all organizations by their last successful sync, the oldest first."),
    Listed(ORGANIZATIONS, "schedule", "Sync an organization at a regular interval."),
    Listed(
        ORGANIZATIONS,
        "webhooks",
        "Register, change and list the addresses that receive events, and list deliveries.",
    ),
    Listed(SYNCS, "sync", "Sync an organization now and show the progress."),
    Listed(SYNCS, "verify", "Compare every stored row with Cliniko, and name each difference."),
    Listed(SYNCS, "cancel", "Cancel a running sync."),
    Listed(SYNCS, "history", "List the syncs of an organization, the newest first."),
    Listed(SYNCS, "log", "Print the log of a sync."),
    Listed(PATIENTS, "patients", "List the patients of an organization, and say why each is in the list."),
    Listed(PATIENTS, "export", "Write a whole list of patients to a file, all of it from one sync."),
    Listed(
        PATIENTS,
        "erase-patient",
        "Remove one patient from everything that is stored, and keep the patient out of later syncs.",
        module="erase_patient",
    ),
    Listed(OPERATION, "tokens", "Create, list and revoke the tokens of ROUTIQ_AUTH=token."),
    Listed(OPERATION, "keys", "Rotate the keys that encrypt stored API keys."),
    Listed(OPERATION, "audit", "Show who did what and which requests were refused, the newest first."),
    Listed(OPERATION, "db", "Create or upgrade the database.", module="database"),
    Listed(TOOLS, "check", "Test a server from outside, through its proxy, and report what to change."),
    Listed(TOOLS, "schema", "Print the GraphQL schema."),
    Listed(TOOLS, "emulator", "Run an emulated Cliniko on this machine."),
)


def load(name: str) -> TyperCommand | TyperGroup:
    """The command of this name, with its options; imports its module."""
    listed = next(one for one in COMMANDS if one.name == name)
    module = import_module(f"routiq_gql.cli.{listed.module or name}")
    command = cast(TyperCommand | TyperGroup, typer.main.get_command(module.app))
    _unwrap_help(command)
    return command


def _unwrap_help(command: TyperCommand | TyperGroup) -> None:
    """Join each paragraph into a single line, so that it wraps by the terminal's width."""
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for one in getattr(command, "commands", {}).values():
        _unwrap_help(one)


class CommandGroup(TyperGroup):
    """A group that lists its commands when it is called without a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args or ctx.resilient_parsing else ["--help"])


class Program(CommandGroup):
    """The program itself: loads only the command that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for one in COMMANDS:
            self.add_command(TyperCommand(name=one.name, help=one.summary, rich_help_panel=one.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, listed, rest = super().resolve_command(ctx, args)
        if listed is None or not listed.name:
            return name, None, rest
        command = load(listed.name)
        gc.freeze()  # loaded code stays until the process ends, so no collection needs to examine it
        gc.enable()
        return name, command, rest
