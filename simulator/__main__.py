"""Command line of the simulator: `python -m simulator` runs a server until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from simulator.config import Config, default_accounts
from simulator.server import Server, base_url
from simulator.state import Simulator


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    config = Config(
        accounts=default_accounts(options.accounts),
        seed=options.seed,
        speed=options.speed,
        people=options.people,
    )
    asyncio.run(_run(config, options.port))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulator", description="Simulate Cloudflare's DEX commands API on 127.0.0.1."
    )
    parser.add_argument(
        "--port", type=int, default=8787, help="port to listen on, 0 for any free port (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the people and devices (default: %(default)s)")
    parser.add_argument(
        "--speed",
        type=_positive_number,
        default=1.0,
        help="factor by which simulated durations are shorter than real ones (default: %(default)s)",
    )
    parser.add_argument(
        "--accounts",
        type=int,
        choices=range(1, 101),
        default=1,
        metavar="1..100",
        help="number of accounts (default: %(default)s)",
    )
    parser.add_argument(
        "--people",
        type=int,
        choices=range(1, 5001),
        default=40,
        metavar="1..5000",
        help="number of people in each account (default: %(default)s)",
    )
    return parser


def _positive_number(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("must be a number above 0")
    return number


async def _run(config: Config, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    server = Server(Simulator(config))
    bound_port = await server.start(port)
    # programs that start the simulator read these lines: docs/simulator.md documents them
    lines = [f"simulator {base_url(bound_port)}"]
    lines += [f"account {account.account_id} token {account.token}" for account in config.accounts]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()


if __name__ == "__main__":
    main()
