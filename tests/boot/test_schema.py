"""The JSON Schema for editors says what `check` says."""

from typing import Any

from caplab.kernel.boot.manifest import check
from caplab.kernel.boot.model import json_schema

SYSTEM = (
    *("name", "semantics", "scheduler", "cleanup", "uarts", "irqs", "timers", "ranges", "cpus"),
    *("confinement", "path", "exit_code_from", "pds"),
)
PD = (
    *("run", "args", "uses", "serves", "rdes", "manages", "devices", "console", "faults"),
    *(
        "threads",
        "priority",
        "untyped",
        "restart",
        "cleanup",
        "confinement",
        "debug",
        "role",
        "path",
    ),
)


def pd_schema() -> dict[str, Any]:
    found: dict[str, Any] = json_schema()["$defs"]["PdKeys"]
    return found


def test_every_key_of_the_design_is_there_and_no_other() -> None:
    assert set(json_schema()["properties"]) == set(SYSTEM)
    assert set(pd_schema()["properties"]) == set(PD)


def test_keys_of_ones_own_are_allowed_and_other_keys_are_not() -> None:
    for schema in (json_schema(), pd_schema()):
        assert schema["patternProperties"] == {"^x-": {}}
        assert schema["additionalProperties"] is False


def test_every_key_tells_an_editor_what_it_is_for() -> None:
    described = [*json_schema()["properties"].values(), *pd_schema()["properties"].values()]
    assert all(each.get("description") for each in described)


def test_null_is_no_value_for_an_editor_either(folder: Any) -> None:
    assert "null" not in str(json_schema())
    for name in SYSTEM:
        (folder / "m.yaml").write_text(f"{name}:\npds: {{hello: {{run: ./hello.py}}}}\n")
        assert "has no value" in check("m.yaml").render() or name == "pds"
