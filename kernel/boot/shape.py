"""Whether each key may stand where it stands, with a value of its kind.

pydantic judges; its verdicts are turned into problems in the reader's terms, and what was refused
is taken out, so that the rest of the manifest can be judged in the same go. `dropped` remembers
what was taken out: no later check may complain of its absence.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from caplab.kernel.boot.model import (
    NAME_RULE,
    SIZE_RULE,
    SYSTEM_RULE,
    TYPE_RULE,
    Cleanup,
    Console,
    Defaults,
    Keys,
    PdKeys,
    Range,
    Restart,
)
from caplab.kernel.boot.problems import Note, Place, Problem, meant
from caplab.kernel.boot.yaml_marks import Document, Step

Path = tuple[Step, ...]
KeysT = TypeVar("KeysT", bound=BaseModel)


class Shape:
    """The keys of one file, judged one by one."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = list(document.problems)
        self.dropped: set[Path] = set()

    def manifest(self) -> Keys | None:
        """The keys of a manifest, without those that were refused; None when nothing is left."""
        data = self._mapping(self.document.data, "a manifest", Keys, ())
        if data is None:
            return None
        if isinstance(pds := data.get("pds"), dict):
            data["pds"] = {name: self._pd(name, pd) for name, pd in pds.items()}
        return self._judge(data, Keys)

    def defaults(self) -> Defaults:
        """The keys of a `pd.yaml`."""
        data = self._mapping(self.document.data, "a pd.yaml", Defaults, ())
        return self._judge(data or {}, Defaults) or Defaults()

    def _pd(self, name: str, pd: Any) -> Any:
        path = ("pds", name)
        if pd is None:  # `hello:` and nothing more: what is missing is its `run`
            return {}
        if not isinstance(pd, dict):
            return pd
        data = self._mapping(pd, "a PD", PdKeys, path) or {}
        uses = data.get("uses")
        if isinstance(uses, list) and all(isinstance(each, str) for each in uses):
            self._unique((*path, "uses"), uses)
            data["uses"] = {each: each for each in uses}
        if isinstance(restart := data.get("restart"), str):
            data["restart"] = {"policy": restart}
        return data

    def _mapping(
        self, data: Any, what: str, keys: type[BaseModel], path: Path
    ) -> dict[str, Any] | None:
        """A mapping without its `x-` keys and its empty keys."""
        if not isinstance(data, dict):
            self._add(
                "CL012", f"{what} is a mapping of keys, not {kind(data)}", path, "write  key: value"
            )
            return None
        kept = {}
        for key, value in data.items():
            at = (*path, key)
            if key.startswith("x-"):
                continue
            if key in keys.model_fields and value is None:
                self.dropped.add(at)
                self._add("CL012", f"`{key}` has no value", at, "give it one, or remove the key")
            else:
                kept[key] = value
        return kept

    def _judge(self, data: dict[str, Any], keys: type[KeysT]) -> KeysT | None:
        try:
            return keys.model_validate(data)
        except ValidationError as error:
            verdicts = error.errors(include_url=False)
        for each in verdicts:
            if each["loc"] not in self.dropped:
                written = self._written(each["loc"])
                self._verdict(each["type"], written, each["input"], each.get("ctx", {}))
        for each in verdicts:
            self._take_out(data, each["loc"])
        try:
            return keys.model_validate(data)
        except ValidationError:
            return None  # what is left is no manifest at all

    def _written(self, path: Path) -> Path:
        """The path of a value as the user wrote it: `restart: no` stands for {policy: no}."""
        short = path[:1] == ("pds",) and path[2:] == ("restart", "policy")
        whole = self.document.data["pds"][path[1]] if short else {}
        return path[:-1] if isinstance(whole.get("restart"), str) else path

    def _take_out(self, data: dict[str, Any], path: Path) -> None:
        """Removes what was refused: a key of the system or of a PD with its whole value, or a PD.

        A PD without a program stays, with none, so that its routes can still be judged.
        """
        end = 1
        if path[0] == "pds" and len(path) > 1:
            end = 3 if len(path) > 2 and path[2] != "[key]" else 2
        at = path[:end]
        self.dropped.add(at)
        container: Any = data
        for step in at[:-1]:
            container = container.get(step, {})
        container.pop(at[-1], None)
        if end == 3 and at[-1] == "run":
            container["run"] = ""

    def _verdict(self, verdict: str, path: Path, value: Any, context: dict[str, Any]) -> None:
        if verdict == "extra_forbidden":
            self._unknown(path)
        elif verdict == "missing":
            self._missing(path)
        elif verdict == "string_pattern_mismatch":
            rule = SYSTEM_RULE if path == ("name",) else NAME_RULE
            at_key = path[-1] == "[key]"
            at = path[:-1] if at_key else path
            self._add("CL014", f"`{value}` is not a name", at, f"use {rule}", at_key=at_key)
        elif verdict in _KINDS:
            self._kind(verdict, path, value)
        elif verdict in ("size", "size_range"):
            self._size(verdict, path)
        elif verdict in _WORDS:
            self._word(verdict, path, value)
        elif verdict == "literal_error":
            self._choice(path, value, context)
        else:
            self._range(path, value, context)

    def _kind(self, verdict: str, path: Path, value: Any) -> None:
        wanted, fix = _KINDS[verdict]
        place = self.document.place(path)
        if any(problem.place == place for problem in self.document.problems):
            return  # a number beyond 64 bits, which has been told
        text = _own_text(place)
        said = f"`{text}`" if verdict in _NUMBERS and _scalar(text) else kind(value)
        message = f"{_label(path)} takes {wanted}, not {said}"
        self._add("CL012", message, path, fix(str(path[-1]), text))

    def _unknown(self, path: Path) -> None:
        in_pd = path[0] == "pds" and len(path) > 2
        level: type[BaseModel] = PdKeys if in_pd else Keys
        other: type[BaseModel] = Keys if in_pd else PdKeys
        if self.document.file.endswith("pd.yaml"):
            level = other = Defaults
        key, owner = str(path[-1]), "of a PD" if level is PdKeys else "here"
        owners = [step for step in path[:-1] if isinstance(step, str)]
        if owners and (within := _PARTS.get(owners[-1])) is not None:
            level = other = within
            owner = f"of `{owners[-1]}`"
        message = f"there is no key `{key}` {owner}"
        near = meant(key, level.model_fields)
        fix = (
            f"write `{near}`"
            if near
            else f"remove it; the keys are {', '.join(level.model_fields)}"
        )
        if key in other.model_fields:
            what = "of each PD" if other is PdKeys else "of the system"
            fix = f"move it: `{key}` is a key {what}"
        self._add("CL010", message, path, fix, at_key=True)

    def _missing(self, path: Path) -> None:
        if path == ("pds",):
            fix = "write  pds: {hello: {run: clients.hello}}"
            self._add("CL011", "the manifest has no `pds`", path, fix)
        elif path[0] == "ranges":
            message = f"a member of `ranges` has no `{path[-1]}`"
            self._add("CL011", message, path[:-1], f"write  {RANGE_FIX}")
        else:
            fix = "add  run: servers.NAME, clients.NAME, ./file.py, ./folder or package.module:main"
            self._add("CL011", f"`{path[1]}` has no `run`: it names no program", path, fix, True)

    def _choice(self, path: Path, value: Any, context: dict[str, Any]) -> None:
        choices = (
            str(context.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
        )
        near = meant(value, choices)
        message = f"{_label(path)} cannot be `{_own_text(self.document.place(path))}`"
        fix = f"write {near}" if near else f"write {' or '.join(choices)}"
        self._add("CL013", message, path, fix)

    def _word(self, verdict: str, path: Path, value: Any) -> None:
        if verdict == "type_name":
            name = value["space"]
            path = (*path, "space")
            message = f"`{name}` cannot name a type of resource"
            fix = f"use {TYPE_RULE}, and no type of the root task's own, such as MO"
            self._add("CL019", message, path, fix)
            return
        text = _scalar(_own_text(self.document.place(path)))
        near = meant(value, ["endpoint"]) if verdict == "serves" else None
        said = f"`{text}`" if text else f"this, {kind(value)}"
        message = f"{_label(path)} cannot be {said}"
        self._add("CL013", message, path, f"write {near}" if near else _WORDS[verdict])

    def _size(self, verdict: str, path: Path) -> None:
        text = _own_text(self.document.place(path))
        if verdict == "size":
            message = f"{_label(path)} takes a size, not `{text}`"
            self._add("CL013", message, path, f"write {SIZE_RULE}")
        else:
            self._add(
                "CL013",
                f"{_label(path)} is {text}; it must be at most 1GiB",
                path,
                "write a size of at most 1GiB",
            )

    def _range(self, path: Path, value: Any, context: dict[str, Any]) -> None:
        low = context.get("ge", context.get("min_length"))
        high = context.get("le", context.get("max_length"))
        bound = f"at least {_plain(low)}" if low is not None else f"at most {_plain(high)}"
        if "actual_length" in context:
            message = f"{_label(path)} has {context['actual_length']} entries; it needs {bound}"
            self._add("CL013", message, path, "remove some" if low is None else "add one")
        else:
            message = f"{_label(path)} is {value}; it must be {bound}"
            self._add("CL013", message, path, f"write a number that is {bound}")

    def _unique(self, path: Path, names: Sequence[str]) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                self.add_twice(path, name, index, names.index(name))

    def add_twice(self, path: Path, name: str, index: int, first: int) -> None:
        """Reports a name that stands twice in a list."""
        note = Note("the first one", self.document.place((*path, first)))
        message = f"`{name}` stands twice in `{path[-1]}`"
        self._add("CL015", message, (*path, index), "remove one", notes=(note,))

    def _add(
        self,
        code: str,
        message: str,
        path: Path,
        fix: str,
        at_key: bool = False,
        notes: tuple[Note, ...] = (),
    ) -> None:
        place = self.document.place(path, key=at_key)
        self.problems.append(Problem(code, message, place, fix, notes))


def kind(value: Any) -> str:
    """What a value is, in a reader's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    names = ((int, "a whole number"), (float, "a number"), (str, "a string"), (list, "a list"))
    return next((name for each, name in names if isinstance(value, each)), "a mapping")


def _plain(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _label(path: Path) -> str:
    if isinstance(path[-1], int):
        return f"a member of `{path[-2]}`"
    return f"`{path[-1]}`"


def _own_text(place: Place) -> str:
    return place.text[place.column - 1 : place.column - 1 + place.width]


def _scalar(text: str) -> str:
    """The user's own text, unless only the bracket it begins with is known."""
    return "" if text in ("[", "{") else text


def _string_fix(text: str) -> str:
    return f'quote it, as in "{text}", or write a name' if _scalar(text) else "write one word"


def _list_fix(key: str, text: str) -> str:
    if key in ("cpus", "irqs"):
        text = text if text.isdecimal() else "0, 1"
    return f"write  {key}: [{_scalar(text) or 'NAME'}]"


def _mapping_fix(key: str, text: str) -> str:
    if key == "uses":
        return f"write  uses: [{text}]"
    if key == "pds":
        return "write each PD by its name, as in  pds: {hello: {run: clients.hello}}"
    return f"write  {key}: {{name: value}}"


def _keys_fix(key: str, text: str) -> str:
    if key == "cleanup":
        return "write  cleanup: {pd_depth: 0, space_depth: 0}"
    if key == "console":
        return "write  console: {prefix: true}"
    if key == "restart":
        return "write  restart: on-failure"
    if key.isdigit():
        return f"write  {RANGE_FIX}"
    return f"write  {key}: {{run: {text}}}"


RANGE_FIX = "ranges: [{address: 0x10440000, size: 4KiB}]"
_PARTS: dict[Step, type[BaseModel]] = {
    "cleanup": Cleanup,
    "console": Console,
    "restart": Restart,
    "ranges": Range,
}
"""Keys with keys of their own."""
_WORDS = {
    "serves": "write endpoint or {space: TYPE}",
    "type_name": "",
    "depth": "write a number of edges from 0 up, or all",
}
"""Verdicts on words of a form of their own, and the fix."""
_NUMBERS = ("int_type", "float_type")
_KINDS: dict[str, tuple[str, Callable[[str, str], str]]] = {
    "string_type": ("a string", lambda key, text: _string_fix(text)),
    "list_type": ("a list", lambda key, text: _list_fix(key, text)),
    "dict_type": ("a mapping", lambda key, text: _mapping_fix(key, text)),
    "model_type": ("a mapping of its keys", lambda key, text: _keys_fix(key, text)),
    "float_type": ("a number", lambda key, text: "write a number, without quotes or a unit"),
    "bool_type": ("true or false", lambda key, text: "write true or false"),
    "int_type": ("a whole number", lambda key, text: "write a whole number, without quotes"),
}
"""Verdicts on the kind of a value: what was wanted, and the fix."""
