"""The component systems that come with caplab, on real processes."""

import pytest

import caplab

SAID = {
    "calc": {
        "client": [
            "40 + 2 = 42",
            "1 - 3 = -2",
            "6 * 7 = 42",
            "2 ** 10 = 1024",
            "-7 / 2 = -3",
            "error 33: 1 cannot be divided by zero",
            "error 34: `result` is 1099511627776, which does not fit int32",
        ]
    },
    "counter": {"third": ["incremented to 11", "incremented to 12", "incremented to 13"]},
    "calc_counter": {
        name: ["incremented to 1, and to 2", "20 + 22 = 42", "40 + 44 = 84"]
        for name in ("first", "second")
    },
    "mapped_file": {
        "writer": ["wrote; the file has 38 bytes"],
        "reader": [
            "read: written by one client, read by another",
            "what is mapped for reading cannot be written",
        ],
    },
}


@pytest.mark.parametrize("name", SAID)
def test_each_component_system_says_what_its_clients_ask_for(name: str) -> None:
    with caplab.System(name, paranoid=True) as system:
        assert system.wait(30)["failed"] == []
        for pd, said in SAID[name].items():
            while len(lines := system.logs(pd).decode().splitlines()) < len(said):
                pass
            assert lines == said
