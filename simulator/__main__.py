"""`python -m simulator`: reads the command line, prints where it listens, runs until TERM or Ctrl-C."""

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
    parser = argparse.ArgumentParser(prog="simulator", description="Cloudflare's DEX commands API, simulated")
    parser.add_argument("--port", type=int, default=8787, help="0: any free one")
    parser.add_argument("--seed", type=int, default=1, help="the company")
    parser.add_argument("--speed", type=_above_zero, default=1.0, help="divides the simulated durations")
    parser.add_argument("--accounts", type=int, choices=range(1, 101), default=1, metavar="1..100")
    parser.add_argument("--people", type=int, choices=range(1, 5001), default=40, metavar="1..5000")
    return parser


def _above_zero(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("a number above 0 is needed")
    return number


async def _run(config: Config, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = Server(Simulator(config))
    bound = await server.start(port)
    lines = [f"simulator {base_url(bound)}"]
    lines += [f"account {account.account_id} token {account.token}" for account in config.accounts]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    await server.stop()


if __name__ == "__main__":
    main()
