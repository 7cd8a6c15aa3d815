"""The corpus of targets, a resolver that answers from it, and every connect of the process."""

import errno
import socket
import sys
import tomllib
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver
from yarl import URL

PUBLIC = "93.184.215.14"
CORPUS = tomllib.loads((Path(__file__).parent / "hostile_targets.toml").read_text(encoding="utf-8"))


def params(kind: str):
    """Return a parameter for each target of a kind, named by its group, what it is, and its place."""
    return [
        pytest.param(target, id=f"{group}-{what if isinstance(what, str) else what[0]}-{place}")
        for group, targets in CORPUS[kind].items()
        for place, (target, what) in enumerate(targets.items())
    ]


class Answers(AbstractResolver):
    """Answers for the names of the corpus, following aliases, and PUBLIC for every other name."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.known = {
            str(URL(target).raw_host).rstrip("."): answers
            for group in CORPUS["named"].values()
            for target, (_, *answers) in group.items()
        }

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked.append(host)
        return [found(host, each, port) for each in self._addresses(host.rstrip("."))]

    async def close(self):
        pass

    def _addresses(self, name: str) -> list[str]:
        answers = self.known.get(name, [PUBLIC])
        return [end for each in answers for end in (self._addresses(each) if each in self.known else [each])]


def found(name: str, address: str, port: int):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return {"hostname": name, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}


class Connects:
    """Hears every connect of this process while it listens; what would leave the machine fails there."""

    def __init__(self) -> None:
        self.is_listening = False
        self.seen: list[tuple[str, int]] = []
        sys.addaudithook(self._hear)  # for good: a hook cannot be taken back

    def _hear(self, event, args):
        if event != "socket.connect" or not self.is_listening:
            return
        host, port = args[1][:2]
        self.seen.append((host, port))
        if not ip_address(host.partition("%")[0]).is_loopback:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "no test leaves this machine")


CONNECTS = Connects()
