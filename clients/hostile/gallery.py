"""The judge: has every attack made, one after another, and says what stopped it.

It believes an attacker that it got through, and nothing else that an attacker says: whether it was
stopped is seen by what the kernel tells of the attackers' and the victims' PDs, by what the victims
say of their own work, and by what the judge looks after itself (`stages.py`).
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any, NamedTuple

import msgpack

from caplab import Env, IpcTimeout
from caplab.clients.hostile import stages
from caplab.clients.hostile.attack import Attack
from caplab.clients.hostile.judging import Say
from caplab.clients.hostile.report import Verdict, written
from caplab.clients.hostile.table import ATTACKS, BY_NAME
from caplab.kernel.abi import Rights
from caplab.pd.ipc import Message
from caplab.pd.objects import Endpoint, PdCap

ENDED = ("exited", "faulted", "killed")
TURN = 0.05
PATIENCE = 8.0
"""Seconds for one attack, and for anybody to appear."""
TO_SPEAK = Rights.WRITE | Rights.GRANT_REPLY


class Beat(NamedTuple):
    """What a victim said last, added up."""

    told: int = 0
    calls: int = 0
    wrong: int = 0
    longest: int = 0
    """Microseconds, since somebody last looked."""


def main(env: Env, victims: list[str], stall: float = 1.0) -> None:
    """Judge the attackers among the PDs that this one `manages`; the rest are the `victims`, who
    may wait `stall` seconds for an answer.

    Exits with 1 when an attack got through, was never made, or disturbed a victim.
    """
    gallery = Gallery(env, victims, stall)
    gallery.meet()
    for name in gallery.attackers:
        gallery.examine(name)
    verdicts = gallery.verdicts
    for line in written(verdicts):
        env.log(line)
    if len(verdicts) < len(ATTACKS) or any(one.through for one in verdicts):
        env.exit(1)


class Gallery:
    """Everybody's PD capabilities, the endpoint they speak over, and what was found so far."""

    def __init__(self, env: Env, victims: list[str], stall: float) -> None:
        self.env = env
        self.pds: dict[str, PdCap] = env.managed()
        self.victims, self.stall = victims, stall
        self.attackers = [name for name in self.pds if name not in victims]
        self.verdicts: list[Verdict] = []
        self._endpoint = env.endpoint("server")
        self._named: dict[int, str] = {}
        """By badge: who said that it is whom before the first attack was made."""
        self._beats = {name: Beat() for name in victims}
        self._waiting: dict[str, Endpoint] = {}
        """Attackers that have said something, by how they are answered."""
        self._said: dict[str, deque[dict[str, Any]]] = {name: deque() for name in self.pds}
        self._stage = stages.Stage()
        self._transferred = False
        self._receive = env.slots.alloc()

    def meet(self) -> None:
        """Learn who everybody is, while nobody has a reason to say otherwise."""
        self._until(lambda: len(self._named) == len(self.pds), PATIENCE)

    def examine(self, name: str) -> None:
        """Have an attacker make all its attacks, or as many as it lives to."""
        self._until(lambda: bool(self._said[name]) or self._ended(name), PATIENCE)
        if not self._said[name]:
            return
        for attack in self._said[name].popleft()["attacks"]:
            if self._ended(name):
                return
            self.verdicts.append(self._judge(BY_NAME[attack], name))
        self._order(name, {})
        self._until(lambda: self._ended(name), PATIENCE)

    # -- one attack ------------------------------------------------------------------------------

    def _judge(self, attack: Attack, name: str) -> Verdict:
        for victim in self.victims:
            self._beats[victim] = self._beats[victim]._replace(longest=0)
        self._stage = stages.build(attack.stage, self.env)
        self._transferred = False
        self._order(name, {"attack": attack.name, "victim": self._pid(self.victims[0])})
        over = self._until(lambda: bool(self._said[name]) or self._ended(name), PATIENCE)
        through, why = self._outcome(attack, name) if over else (True, "it does not end")
        if not over:
            self.pds[name].kill()
        harm = self._harm()
        longest = max(beat.longest for beat in self._beats.values())
        return Verdict(attack, through or bool(harm), "; ".join(filter(None, [why, harm])), longest)

    def _outcome(self, attack: Attack, name: str) -> tuple[bool, str]:
        """Whether it got through, and what of it is known."""
        if self._said[name]:
            said = self._said[name].popleft()
            return bool(said["through"]), str(said["why"])
        row = self.pds[name].info()
        reason = f"{row['state']}: {row['reason']}"
        if attack.ends and re.search(attack.ends, reason):
            return False, reason
        return True, f"it ended otherwise, {reason}"

    def _harm(self) -> str:
        """What the judge sees for itself that was done."""
        found = [self._stage.damage(), "a capability came without Grant" * self._transferred]
        for victim in self.victims:
            beat = self._beats[victim]
            fresh = self._until(
                lambda victim=victim, count=beat.told: (
                    self._beats[victim].told > count + 1 or self._ended(victim)
                ),
                PATIENCE,
            )
            if self._ended(victim):
                row = self.pds[victim].info()
                found.append(f"{victim}: {row['state']} {row['reason']}")
            elif not fresh:
                found.append(f"{victim} is at a standstill")
            beat = self._beats[victim]
            if beat.wrong:
                found.append(f"{victim} got {beat.wrong} wrong answers")
            if beat.longest > self.stall * 1e6:
                found.append(f"{victim} waited {beat.longest / 1e6:.1f} s")
            self._beats[victim] = beat._replace(wrong=0)
        return "; ".join(filter(None, found))

    # -- speaking ------------------------------------------------------------------------------

    def _until(self, true: Any, seconds: float) -> bool:
        """Listen until something is so; whether it came to be in time."""
        end = self.env.now() + seconds
        while not true():
            if self.env.now() > end:
                return False
            self._listen()
        return True

    def _listen(self) -> None:
        try:
            message = self._endpoint.recv(receive=self._receive, timeout=TURN)
        except IpcTimeout:
            return
        said = msgpack.unpackb(message.data) if message.data else {}
        name = self._named.setdefault(message.badge, said.get("name", ""))
        if message.label == Say.BEAT:
            self._beat(name, said)
        elif message.label == Say.READY:
            self._stage.ready()
            self.env.reply()
        elif message.label == Say.TRANSFER:
            self._took(message)
            self.env.reply()
        else:
            self._said[name].append(said)
            slot = self.env.slots.alloc()
            self.env.cnode.save_caller(slot)
            self._waiting[name] = self.env.cap(Endpoint, slot)

    def _took(self, message: Message) -> None:
        if message.caps:
            self._transferred = True
            self.env.cnode.delete_slot(self._receive)

    def _beat(self, name: str, said: dict[str, Any]) -> None:
        old = self._beats[name]
        self._beats[name] = Beat(
            old.told + 1,
            old.calls + said["calls"],
            old.wrong + said["wrong"],
            max(old.longest, said["longest"]),
        )
        self.env.reply(0, msgpack.packb({}))

    def _order(self, name: str, order: dict[str, Any]) -> None:
        """Answer an attacker that waits for it."""
        waiting = self._waiting.pop(name, None)
        if waiting is not None:
            gift = self._stage.gift
            caps = [gift] if gift is not None and order else []
            waiting.send(0, msgpack.packb(order), caps=caps)
            self.env.slots.free(waiting.slot)

    # -- looking -------------------------------------------------------------------------------

    def _ended(self, name: str) -> bool:
        return self.pds[name].info()["state"] in ENDED

    def _pid(self, name: str) -> int:
        return int(self.pds[name].info()["pid"] or 0)
