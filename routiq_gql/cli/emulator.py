"""``routiq-gql emulator``: an emulated Cliniko on this machine, to test a server without a Cliniko account."""

import asyncio
from contextlib import suppress
from enum import StrEnum
from typing import Annotated

import typer

from routiq_gql.cli.exit_codes import Stopped
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.clock import utc_now
from routiq_gql.emulator import (
    EMULATED_API_KEY,
    Clinic,
    ClinicLife,
    Emulator,
    EmulatorServer,
    awkward_clinic,
    demo_clinic,
    generated_clinic,
)
from routiq_gql.logs import configure_logging
from routiq_gql.serving.open_files import raise_limit, shortage_in_one_line
from routiq_gql.serving.server import listen_on_loopback
from routiq_gql.settings import load_settings


class ClinicName(StrEnum):
    """The clinics with fixed contents. All others are generated."""

    DEMO = "demo"
    AWKWARD = "awkward"


app = typer.Typer(add_completion=False)


@app.command(epilog="Example: routiq-gql emulator --patients 5000 --port 9000")
def emulator(
    patients: Annotated[
        int | None, typer.Option(min=0, max=200_000, help="Emulate a generated clinic with this many patients.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of the generated clinic.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 selects a free port.")] = 0,
    clinic: Annotated[
        ClinicName,
        typer.Option(help="demo: the clinic of `routiq-gql demo`. awkward: a small clinic full of rare cases."),
    ] = ClinicName.DEMO,
    living: Annotated[
        bool,
        typer.Option("--living", help="Every ten seconds or so someone books, moves, cancels, joins or is merged."),
    ] = False,
) -> None:
    """Run an emulated Cliniko on this machine.

    Stop it with Ctrl-C.
    """
    configure_logging(load_settings(), quiet=True)
    raise_limit()
    listener = listen_on_loopback("127.0.0.1", port)
    listener.close()  # a check only: the emulator opens the port itself
    with suppress(Stopped):
        run(_emulate(_clinic(patients, seed, clinic), listener.port, living=living))


def _clinic(patients: int | None, seed: int, clinic: ClinicName) -> Clinic:
    if patients is not None:
        return generated_clinic(patients, utc_now(), seed)
    return demo_clinic(utc_now()) if clinic is ClinicName.DEMO else awkward_clinic(utc_now())


async def _emulate(clinic: Clinic, port: int, *, living: bool) -> None:
    with shortage_in_one_line(asyncio.get_running_loop()):
        async with EmulatorServer(Emulator(clinic, api_keys=EMULATED_API_KEY), port=port) as server:
            terminal = open_terminal()
            terminal.print(f"Emulated Cliniko at {server.base_url}")
            terminal.print(
                f"Connect: routiq-gql connect org_demo --base-url {server.base_url} --api-key {EMULATED_API_KEY}"
            )
            terminal.print("Stop with Ctrl-C.")
            if living:
                await _live(ClinicLife(clinic))
            await asyncio.Event().wait()  # until a signal cancels it


async def _live(life: ClinicLife) -> None:
    while True:
        await asyncio.sleep(life.seconds_to_next())
        life.step()
