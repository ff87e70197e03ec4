"""The keys of a manifest, one field each: what may stand there.

The JSON Schema for editors is made from these classes, and `check` validates with them; what
takes more than one key to judge (routes, programs) is in `routes.py` and `programs.py`.
"""

import re
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from caplab.kernel.abi import (
    IRQ_MAX,
    PAGE_SIZE,
    PRIORITY_DEFAULT,
    PRIORITY_MAX,
    TIMERS_MAX,
    UARTS_MAX,
)

NAME_RULE = "a letter, then letters, digits, - and _, at most 31 in all"
SYSTEM_RULE = "a letter or digit, then letters, digits, -, _ and ., at most 63 in all"

_SYSTEM_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,30}$")]
"""Of a PD, a UART, or a name in a PD's environment: it becomes file and process names."""
SystemName = Annotated[str, StringConstraints(pattern=_SYSTEM_NAME)]

RANGES_MAX = 16
SIZE_RULE = "a whole number of bytes, or one of KiB, MiB or GiB, as in 16KiB"
SIZE_MAX = 1 << 30
_SIZE = re.compile(r"([0-9]{1,19})(KiB|MiB|GiB)?")
_UNITS = {None: 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def parse_size(value: Any) -> int:
    """Bytes of a size as a manifest has it, rounded up to a page.

    Raises PydanticCustomError: `size` for what is none, `size_range` for one over 1 GiB.
    """
    found = _SIZE.fullmatch(str(value)) if type(value) in (int, str) else None
    if found is None:
        raise PydanticCustomError("size", "not a size")
    size = int(found[1]) * _UNITS[found[2]]
    if size > SIZE_MAX:
        raise PydanticCustomError("size_range", "too large")
    return -(-size // PAGE_SIZE) * PAGE_SIZE


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": SIZE_MAX},
                {"type": "string", "pattern": f"^{_SIZE.pattern}$"},
            ]
        }
    ),
]
"""An amount of memory: `4096`, `16KiB`, `4MiB`, `1GiB`."""


TYPE_RULE = "a letter, then letters, digits and _, at most 31 in all"
_TYPE = r"[A-Za-z][A-Za-z0-9_]{0,30}"
OWN_TYPES = (
    *("PD", "MO", "EP", "ADS", "VMR", "CPU", "VCPU", "PCPU"),
    *("RESSPC", "SEL4", "DOMAIN"),
)
"""Types of resource that are the root task's own."""


def parse_serves(value: Any) -> str | dict[str, str]:
    """What a PD serves: `endpoint`, or `{space: TYPE}`.

    Raises PydanticCustomError: `serves` for neither, `type_name` for a TYPE that cannot be one.
    """
    if value == "endpoint":
        return "endpoint"
    if not isinstance(value, dict) or list(value) != ["space"]:
        raise PydanticCustomError("serves", "neither")
    name = value["space"]
    fits = isinstance(name, str) and re.fullmatch(_TYPE, name) is not None
    if not fits or name.upper() in OWN_TYPES:
        raise PydanticCustomError("type_name", "no type of resource")
    return {"space": name}


Serves = Annotated[
    str | dict[str, str],
    PlainValidator(parse_serves),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "endpoint"},
                {
                    "type": "object",
                    "properties": {"space": {"type": "string", "pattern": f"^{_TYPE}$"}},
                    "required": ["space"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


def parse_depth(value: Any) -> int | str:
    """How far a death spreads, in edges. Raises PydanticCustomError `depth`."""
    if value == "all" or (type(value) is int and 0 <= value <= DEPTH_MAX):
        return cast("int | str", value)
    raise PydanticCustomError("depth", "no depth")


DEPTH_MAX = 1 << 20
"""More edges than there can be PDs and spaces."""
Depth = Annotated[
    int | str,
    PlainValidator(parse_depth),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": DEPTH_MAX}, {"const": "all"}]}
    ),
]


def _names(what: str) -> Any:
    return Field(default=[], description=what)


_Confinement = Literal["auto", "strict", "basic", "none"]
_USES_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"type": "array", "items": {"type": "string"}},
        ]
    }
)
_SHUT = ConfigDict(strict=True, extra="forbid", frozen=True)
_OPEN_TO_X = ConfigDict(**_SHUT, json_schema_extra={"patternProperties": {"^x-": {}}})


class Cleanup(BaseModel):
    """How far a death spreads; for what is left out the next level decides, at last 0."""

    model_config = _SHUT

    pd_depth: Depth | None = Field(
        default=None, description="dependency edges within which PDs die too: 0, 1 … or all"
    )
    space_depth: Depth | None = Field(
        default=None, description="map edges within which spaces go too: 0, 1 … or all"
    )


class Restart(BaseModel):
    """Whether a PD is started again when it has ended."""

    model_config = _SHUT

    policy: Literal["no", "on-failure", "always"] = Field(
        default="on-failure",
        description="on-failure: killed, faulted or exited with a status; always: however it ended",
    )
    backoff: float = Field(
        default=0.5,
        ge=0,
        le=60,
        description="seconds until the first restart; each further one waits twice as long, "
        "60 at most",
    )
    max: int = Field(
        default=5, ge=0, le=1_000_000, description="how often at most; it is given up after that"
    )


class Range(BaseModel):
    """Device memory."""

    model_config = _SHUT

    address: int = Field(description="the first physical address, of a page: 0x10440000")
    size: Size = Field(description="how much, rounded up to a page")


class Console(BaseModel):
    """How a PD prints and reads at the serial servers it uses."""

    model_config = _SHUT

    escapes: bool = Field(
        default=False, description="whether escape sequences it prints reach the terminal"
    )
    prefix: bool = Field(
        default=False, description="whether each line it prints begins with the time and its name"
    )
    buffering: Literal["call", "write-back", "ring"] = Field(
        default="call",
        description="call: each write is a call; write-back: whole lines, when there are many or "
        "it says flush; ring: through shared memory, without a call",
    )
    focus: bool = Field(
        default=False, description="whether it may take the input, and give it to another"
    )


class Defaults(BaseModel):
    """`pd.yaml` beside a program: what a PD that runs it has unless its manifest says otherwise."""

    model_config = _OPEN_TO_X

    serves: Serves | None = Field(
        default=None,
        description="what other PDs can use of it: `endpoint`, or resources of a type it manages",
    )
    rdes: list[Literal["pd", "resspc", "mo", "ep", "ads", "vmr", "cpu", "domain"]] = _names(
        "root-task services it may ask for"
    )
    devices: list[Name] = _names(
        "the UARTs and timers it drives; irqs, ioports, ranges: any line, any port, device memory"
    )
    threads: int = Field(default=1, ge=1, le=32, description="how many TCBs it has")
    role: Literal["server", "client"] | None = Field(
        default=None,
        description="a system ends when every PD that is not a server has; serving makes a server",
    )
    untyped: Size | None = Field(
        default=None,
        description="memory that pays for the objects it makes, rounded up to a page; else 4MiB",
    )


_RESTART_SCHEMA = WithJsonSchema(
    {"anyOf": [{"enum": ["no", "on-failure", "always"]}, Restart.model_json_schema()]}
)


class PdKeys(Defaults):
    """One entry of `pds`."""

    run: str = Field(
        description="servers.NAME, clients.NAME, ./file.py, ./folder or package.module:function"
    )
    args: dict[str, Any] = Field(default={}, description="keyword arguments of its main")
    uses: Annotated[dict[Name, Name], _USES_SCHEMA] = Field(
        default={}, description="name in the code: the PD that serves it; [serial] means itself"
    )
    manages: list[Name] = _names("PDs it may list, suspend, kill and crash")
    path: list[str] = _names("more folders it may import from, relative to the manifest")
    confinement: _Confinement = Field(
        default="auto", description="as the system's, or weaker, for this PD"
    )
    console: Console | None = Field(
        default=None, description="how it prints and reads at the serial servers it uses"
    )
    faults: Name | None = Field(
        default=None, description="the PD that handles its faults, at the endpoint it serves"
    )
    priority: int = Field(
        default=PRIORITY_DEFAULT,
        ge=0,
        le=PRIORITY_MAX,
        description="of its TCBs, for `scheduler: strict`; 255 is the highest",
    )
    restart: Annotated[Restart | None, _RESTART_SCHEMA] = Field(
        default=None, description="starting it again when it has ended: a policy, or all of it"
    )
    cleanup: Cleanup | None = Field(
        default=None, description="how far its death, and that of its spaces, spreads"
    )
    debug: bool = Field(
        default=False, description="a terminal of its own, where breakpoint() opens: caplab attach"
    )


class Keys(BaseModel):
    """A manifest."""

    model_config = _OPEN_TO_X

    name: SystemName | None = Field(
        default=None, description="of the system; otherwise the name of the file"
    )
    semantics: Literal["lab", "sel4"] = Field(
        default="lab", description="lab explains every silence; sel4 keeps it, as the kernel does"
    )
    uarts: list[Name] = Field(
        default=[], max_length=UARTS_MAX, description="the UARTs of the machine"
    )
    cpus: list[Annotated[int, Field(ge=0)]] | None = Field(
        default=None, min_length=1, description="CPUs of the host all its processes run on"
    )
    confinement: _Confinement = Field(
        default="auto",
        description="how strictly PDs are kept from the host; auto: as strictly as it allows",
    )
    path: list[str] = _names("more folders all PDs may import from, relative to the manifest")
    exit_code_from: Name | None = Field(
        default=None, description="the PD whose exit status becomes that of `caplab up`"
    )
    pds: dict[Name, PdKeys] = Field(min_length=1, description="the protection domains")
    scheduler: Literal["host", "strict"] = Field(
        default="host",
        description="who picks the TCB that runs: the host, or strict priorities, one at a time",
    )
    cleanup: Cleanup | None = Field(
        default=None, description="how far a death spreads along dependencies"
    )
    irqs: list[Annotated[int, Field(ge=0, le=IRQ_MAX)]] = Field(
        default=[], description="interrupt lines that an operator raises: caplab irq N"
    )
    timers: list[Name] = Field(
        default=[], max_length=TIMERS_MAX, description="the timers of the machine"
    )
    ranges: list[Range] = Field(
        default=[], max_length=RANGES_MAX, description="device memory at physical addresses"
    )


def valid_system_name(name: str) -> bool:
    """Whether a system can be called so: its run directory is."""
    return re.fullmatch(_SYSTEM_NAME, name) is not None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest, for editors (`# yaml-language-server: $schema=…`)."""
    schema = _tidy(Keys.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _tidy(part: Any) -> Any:
    """Without the titles that repeat each key, and without null: `key: null` is refused."""
    if isinstance(part, list):
        return [_tidy(each) for each in part if each != {"type": "null"}]
    if not isinstance(part, dict):
        return part
    tidy = {key: _tidy(value) for key, value in part.items() if key != "title"}
    if tidy.get("default", 0) is None:
        del tidy["default"]
    if len(only := tidy.get("anyOf", ())) == 1:
        del tidy["anyOf"]
        tidy |= only[0]
    return tidy
