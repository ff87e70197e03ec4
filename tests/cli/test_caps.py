"""`caplab caps` on set answers: the table, the tree, the JSON form."""

import json
from collections.abc import Callable
from typing import Any

SLOT: dict[str, Any] = {
    "slot": 512,
    "cnode": None,
    "names": ["console"],
    "type": "endpoint",
    "object": "serial/gen0",
    "rights": "-WGP",
    "badge": 2,
    "from": "serial",
    "gone": None,
}
EMPTIED: dict[str, Any] = {
    **dict.fromkeys(SLOT),
    "slot": 20,
    "names": [],
    "gone": {"status": "REVOKED", "pd": "fs", "generation": 1, "event": 77},
}
WIDE: dict[str, Any] = {**SLOT, "slot": 21, "names": [], "badge": 0xFF << 56 | 2, "from": None}
KIN: dict[str, Any] = {
    "depth": 1,
    "pd": "root",
    "generation": 0,
    "slot": 3,
    "type": "endpoint",
    "cnode": None,
    "tcb": None,
    "rights": "RWGP",
    "badge": 0,
}


def answer(*slots: dict[str, Any], more: int = 0) -> dict[str, Any]:
    return {"pd": "app", "generation": 0, "slots": list(slots), "more_slots": more}


def test_the_table_has_a_line_for_each_slot_and_why_it_is_empty(
    caplab: Callable, stand_in: Callable
) -> None:
    system = stand_in(caps=answer(EMPTIED, WIDE, SLOT))
    ran = caplab("caps", "app")
    assert (ran.status, ran.err) == (0, "")
    heads, emptied, wide, slot = ran.out.splitlines()
    assert heads.split() == ["SLOT", "NAME", "OBJECT", "RIGHTS", "BADGE", "FROM", "EMPTIED"]
    assert emptied.split() == ["20", *"-----", "REVOKED", "by", "fs/gen1,", "event", "77"]
    assert "0xff00000000000002" in wide
    assert slot.split() == [
        *("512", "console", "endpoint", "serial/gen0", "-WGP", "2", "serial", "-")
    ]
    assert system.requests == [{"id": 1, "op": "caps", "pd": "app", "tree": False}]


def test_the_tree_goes_from_ancestors_to_descendants(caplab: Callable, stand_in: Callable) -> None:
    child = {**KIN, "pd": "web", "slot": 9, "badge": 5, "rights": "-W--"}
    grandchild = {**child, "slot": 10, "cnode": 7, "depth": 2}
    tree = {"parents": [KIN], "derived": [child, grandchild], "more_derived": 3}
    empty = {"parents": [], "derived": [], "more_derived": 0}
    stand_in(caps=answer({**SLOT, **tree}, {**EMPTIED, **empty}))
    assert caplab("caps", "app", "--tree").out.splitlines() == [
        "512 console  endpoint serial/gen0 -WGP badge 2, from serial",
        "  from root/gen0 slot 3  RWGP",
        "  to   web/gen0 slot 9  -W-- badge 5",
        "    to   web/gen0 slot 7:10  -W-- badge 5",
        "  and 3 more",
        "20  REVOKED by fs/gen1, event 77",
    ]


def test_the_json_form_is_the_answer_with_its_schema(caplab: Callable, stand_in: Callable) -> None:
    stand_in(caps=answer(SLOT))
    document = json.loads(caplab("caps", "app", "--format", "json").out)
    assert list(document) == ["schema", "pd", "generation", "slots", "more_slots"]
    assert document["schema"] == 1
    assert document["slots"] == [SLOT]


def test_what_does_not_fit_is_said(caplab: Callable, stand_in: Callable) -> None:
    stand_in(caps=answer(SLOT, more=2))
    assert "2 slots more, which are not shown" in caplab("caps", "app").err


def test_a_pd_that_holds_nothing_is_said_to(caplab: Callable, stand_in: Callable) -> None:
    stand_in(caps=answer())
    ran = caplab("caps", "app")
    assert (ran.status, ran.out, ran.err) == (0, "", "caplab: app holds no capability\n")


def test_names_of_pds_cannot_drive_the_terminal(caplab: Callable, stand_in: Callable) -> None:
    nasty = {**SLOT, "from": "\x1b[2J", "object": "\x1b[H"}
    stand_in(caps=answer({**nasty, "parents": [], "derived": [], "more_derived": 0}))
    assert "\x1b" not in caplab("caps", "app").out
    assert "\x1b" not in caplab("caps", "app", "--tree").out


def test_an_unknown_pd_is_refused_with_a_suggestion(caplab: Callable, stand_in: Callable) -> None:
    error = {"error": {"code": "no-such-pd", "message": "no PD `helo1`; there are: hello1"}}
    stand_in(caps=error)
    ran = caplab("caps", "helo1")
    assert ran.status == 2
    assert "Did you mean hello1?" in ran.err


def test_without_a_system_it_exits_3(caplab: Callable) -> None:
    assert caplab("caps", "app").status == 3
