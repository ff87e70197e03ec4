"""What takes more than one key to judge: routes between PDs, devices, names, arguments.

A route that is broken is shown from both ends: where it is used, and where its other end is
declared, or that nothing of the name is.
"""

import os
from collections.abc import Callable, Sequence

from caplab.kernel.abi import FAULT_HANDLER, FIRST_DYNAMIC_TYPE, LAST_DYNAMIC_TYPE
from caplab.kernel.boot.drivers import is_serial_server, may_print
from caplab.kernel.boot.entries import Entry
from caplab.kernel.boot.machine import Machine
from caplab.kernel.boot.model import Keys
from caplab.kernel.boot.problems import ENOUGH, Note, Place, Problem, listing, meant
from caplab.kernel.boot.programs import shown
from caplab.kernel.boot.shape import Shape
from caplab.kernel.boot.signature import Misfit, Signature, misfits
from caplab.kernel.boot.yaml_marks import Step
from caplab.kernel.confine.level import Level
from caplab.kernel.root.machine import RANGES
from caplab.kernel.root.pd import NAMES_MAX, names_given

TYPES_MAX = LAST_DYNAMIC_TYPE - FIRST_DYNAMIC_TYPE + 1


class Routes:
    """Judges the PDs of a manifest together, and adds to the problems of its shape."""

    def __init__(self, shape: Shape, keys: Keys, pds: dict[str, Entry]) -> None:
        self.shape, self.keys, self.pds = shape, keys, pds
        self.document, self.problems = shape.document, shape.problems
        self.machine = Machine(shape, keys, pds, self._add)
        declared = self.document.data["pds"]
        self.declared: dict[str, None] = dict.fromkeys(declared)
        """Every name under `pds`, those refused for something else included."""

    def judge(self) -> None:
        self._system()
        judges: Sequence[Callable[[Entry], None]] = (
            self._uses,
            self._faults,
            self._manages,
            self._devices,
            self._type,
            self._domain,
            self._room,
            self._role,
            self._console,
            self._confinement,
            self._args,
        )
        for pd in self.pds.values():
            for judge in judges:
                if len(self.problems) <= ENOUGH:
                    judge(pd)

    def _system(self) -> None:
        self.machine.judge()
        for key in ("uarts", "timers", "irqs"):
            self._unique((key,), getattr(self.keys, key))
        self._unique(("cpus",), self.keys.cpus or ())
        ours = sorted(os.sched_getaffinity(0))
        for index, cpu in enumerate(self.keys.cpus or ()):
            if cpu not in ours:
                message = f"CPU {cpu} is not one this process may run on"
                fix = f"choose among {listing(map(str, ours))}"
                self._add("CL017", message, self.document.place(("cpus", index)), fix)
        wanted = self.keys.exit_code_from
        if wanted is not None and wanted not in self.declared:
            message = f"`exit_code_from` names `{wanted}`, and there is no such PD"
            self._no_pd("CL025", message, self.document.place(("exit_code_from",)), wanted)

    def _uses(self, pd: Entry) -> None:
        for name, provider in pd.keys.uses.items():
            at, own = pd.at("uses", name), pd.at("uses", name, key=True)
            self._provider(pd, provider, at)
            taken = {"server": "endpoint"} if pd.serves else {}
            taken |= {"space": "space"} if pd.type_name else {}
            if name in taken:
                message = f"in `{pd.name}` the name `{name}` is that of its own {taken[name]}"
                self._add("CL026", message, own, "use another name", self._served_at(pd))
            if name in pd.value("devices"):
                place, notes = pd.given("devices", name)
                message = f"in `{pd.name}` the name `{name}` is that of a device"
                notes = notes or (Note("the device", place),)
                self._add("CL026", message, own, "use another name", notes)
            if name == FAULT_HANDLER and pd.keys.faults is not None:
                message = f"in `{pd.name}` the name `{name}` is that of its fault handler"
                notes = (Note("the fault handler", pd.at("faults")),)
                self._add("CL026", message, own, "use another name", notes)

    def _faults(self, pd: Entry) -> None:
        if pd.keys.faults is not None:
            self._provider(pd, pd.keys.faults, pd.at("faults"), "sends its faults to")

    def _provider(self, pd: Entry, provider: str, at: Place, uses: str = "uses") -> None:
        other = self.pds.get(provider)
        if provider == pd.name:
            message = f"`{provider}` {uses} itself: its call would wait for its own answer"
            self._add("CL022", message, at, "remove it, or name another PD")
        elif provider not in self.declared:
            message = f"`{pd.name}` {uses} `{provider}`, and there is no such PD"
            self._no_pd("CL020", message, at, provider, by=pd.name)
        elif other is not None and other.known("serves") and not other.serves:
            message = f"`{pd.name}` {uses} `{provider}`, which serves nothing"
            note = Note(f"`{provider}` is declared here, without `serves`", other.declared)
            fix = f"add  serves: endpoint  to `{provider}`, if its program answers calls"
            self._add("CL021", message, at, fix, (note,))

    def _manages(self, pd: Entry) -> None:
        self._unique(("pds", pd.name, "manages"), pd.keys.manages)
        for index, managed in enumerate(pd.keys.manages):
            if managed not in self.declared:
                message = f"`{pd.name}` manages `{managed}`, and there is no such PD"
                self._no_pd("CL024", message, pd.at("manages", index), managed, pd.name)

    def _devices(self, pd: Entry) -> None:
        self._unique(("pds", pd.name, "devices"), pd.keys.devices)
        self._unique(("pds", pd.name, "rdes"), pd.keys.rdes)
        self.machine.driven(pd)

    def _type(self, pd: Entry) -> None:
        """Each type of resource needs a code; spaces of one type share it."""
        names = [one.type_name for one in self.pds.values() if one.type_name]
        types = list(dict.fromkeys(names))
        if pd.type_name in types[TYPES_MAX:]:
            at, notes = pd.given("serves")
            message = f"`{pd.type_name}` is one type of resource too many"
            fix = f"a system has at most {TYPES_MAX}; let servers of one kind share a type"
            self._add("CL019", message, at, fix, notes)

    def _domain(self, pd: Entry) -> None:
        rdes = pd.value("rdes")
        if "domain" in rdes and self.keys.scheduler != "strict":
            at, notes = pd.given("rdes", rdes.index("domain"))
            message = f"`{pd.name}` sets domains, which act with `scheduler: strict` only"
            fix = "write  scheduler: strict  for the system, or remove `domain`"
            self._add("CL028", message, at, fix, notes)

    def _room(self, pd: Entry) -> None:
        keys = ("rdes", "devices", "serves", "threads", "untyped")
        lists = {"uses": pd.keys.uses, "manages": pd.keys.manages}
        given = {key: pd.value(key) for key in keys}
        ranges = self.machine.more_names if RANGES in given["devices"] else 0
        names = names_given({**given, **lists, "faults": pd.keys.faults}) + ranges
        if names > NAMES_MAX:
            longest = max(lists, key=lambda key: len(lists[key]))
            message = f"`{pd.name}` would begin with {names} capabilities, and has room for"
            fix = f"take {names - NAMES_MAX} away, from `{longest}` for instance"
            self._add("CL029", f"{message} {NAMES_MAX}", pd.at(longest), fix)

    def _role(self, pd: Entry) -> None:
        if pd.value("role") == "client" and pd.serves:
            at, notes = pd.given("role")
            message = f"`{pd.name}` serves {_served(pd)}, so it cannot be a client"
            notes = (*notes, *self._served_at(pd))
            self._add("CL027", message, at, "remove `role`, or `serves`", notes)

    def _console(self, pd: Entry) -> None:
        if pd.keys.console is None or may_print(pd, self.pds):
            return
        servers = [one.name for one in self.pds.values() if is_serial_server(one)]
        message = f"`{pd.name}` says `console`, and uses no serial server: nothing would heed it"
        fix = "remove it, or declare a PD that runs servers.serial and use that"
        if pd.name in servers:
            message = f"`{pd.name}` is a serial server: `console` is for those who print at it"
            fix = f"move it to the PDs that use `{pd.name}`"
        elif servers:
            fix = f"add  uses: {{console: {servers[0]}}}, or remove `console`"
        self._add("CL016", message, pd.at("console", key=True), fix)

    def _confinement(self, pd: Entry) -> None:
        asked, most = pd.keys.confinement, self.keys.confinement
        if "auto" in (asked, most) or Level(asked).strength <= Level(most).strength:
            return
        message = f"`{pd.name}` is to be confined more strictly than the system"
        note = Note(f"the system has `{most}`", self.document.place(("confinement",)))
        fix = f"write  confinement: {asked}  for the system, and {most} for the other PDs"
        self._add("CL018", message, pd.at("confinement"), fix, (note,))

    def _args(self, pd: Entry) -> None:
        signature = pd.found.signature if pd.found is not None else None
        if signature is None or ("pds", pd.name, "args") in self.shape.dropped:
            return
        for misfit in misfits(signature, pd.keys.args):
            near = meant(misfit.name, [each for each in misfit.near if each not in pd.keys.args])
            fix = f"write {near}" if near else misfit.fix
            note = Note("its parameters", _declaration(pd, signature))
            at = _argument(pd, misfit)
            if not any(problem.place == at for problem in self.document.problems):
                self._add(misfit.code, f"`{pd.name}`: {misfit.message}", at, fix, (note,))

    def _served_at(self, pd: Entry) -> tuple[Note, ...]:
        at, notes = pd.given("serves")
        return notes or (Note("it serves because of this", at),)

    def _no_pd(self, code: str, message: str, at: Place, name: str, by: str = "") -> None:
        """A name that is no PD's, given `by` a PD: with the PD that was meant, or those there are.
        What is used must serve."""
        serving = code == "CL020"
        names = [one for one in self.declared if one != by]
        if serving:
            names = [one for one in names if one in self.pds and self.pds[one].serves]
        near = meant(name, names)
        if near is None:
            what = "PDs that serve something" if serving else "PDs of this system"
            note = Note(f"{what}: {listing(names)}")
            fix = f"declare `{name}` under `pds`, or name one of them"
        else:
            other = self.pds.get(near)
            serves = f" and serves {_served(other)}" if serving and other is not None else ""
            at_other = other.declared if other is not None else None
            note = Note(f"`{near}` is declared here{serves}", at_other)
            fix = f"write {near}"
        self._add(code, message, at, fix, (note,))

    def _unique(self, path: tuple[Step, ...], members: Sequence[str | int]) -> None:
        for index, name in enumerate(members):
            if (first := members.index(name)) != index:
                self.shape.add_twice(path, str(name), index, first)

    def _add(
        self, code: str, message: str, at: Place, fix: str, notes: tuple[Note, ...] = ()
    ) -> None:
        self.problems.append(Problem(code, message, at, fix, notes))


def _served(pd: Entry) -> str:
    return f"{pd.type_name} resources" if pd.type_name else "an endpoint"


def _argument(pd: Entry, misfit: Misfit) -> Place:
    """The argument in the manifest; for one that is missing, where it would be written."""
    if misfit.name:
        return pd.at("args", misfit.name, key=misfit.code == "CL035")
    return pd.at("args", key=True) if pd.keys.args else pd.at("run")


def _declaration(pd: Entry, signature: Signature) -> Place | None:
    """The line of a program that defines its entry."""
    source = pd.found.source if pd.found is not None else None
    if source is None:
        return None
    node = signature.node
    text = source.read_text("utf-8", "replace").splitlines()[node.lineno - 1]
    return Place(shown(source), node.lineno, text.index("def ") + 5, len(node.name), text)
