"""Simulator controls that the fault runs use: its world, its ledger, its faults."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.request import Request, urlopen

WITHIN = 60.0  # seconds; a ledger of ten thousand commands takes about one

type Json = dict[str, Any]


class SimulatorControl:
    def __init__(self, base_url: str) -> None:
        self.base_url = base_url  # ends in /client/v4
        self._url = base_url.removesuffix("/client/v4") + "/_sim/"

    def put_rules(self, rules: Sequence[Mapping[str, Any]], *, seed: int) -> None:
        self._call("PUT", "faults", {"seed": seed, "rules": list(rules)})

    def configure(self, **changes: Any) -> Json:
        return self._call("PUT", "config", changes)

    def config(self) -> Json:
        return self._call("GET", "config")

    def foreign(self, order: Mapping[str, Any]) -> Json:
        return self._call("POST", "foreign", order)

    def devices(self) -> list[Json]:
        return list(self._call("GET", "world")["devices"])

    def ledger(self) -> list[Json]:
        return list(self._call("GET", "ledger")["commands"])

    def download(self, account: str, token: str, command_id: str) -> bytes:
        address = f"{self.base_url}/accounts/{account}/dex/commands/{command_id}/downloads/{command_id}.zip"
        with urlopen(Request(address, headers={"Authorization": f"Bearer {token}"}), timeout=WITHIN) as response:
            return bytes(response.read())

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Json:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self._url + path, data, method=method), timeout=WITHIN) as response:
            return dict(json.load(response))
