"""What `import caplab` offers, and what it costs."""

import subprocess
import sys

import pytest

import caplab


def loaded_after(statement: str) -> set[str]:
    """The modules a fresh interpreter has loaded after the statement."""
    code = f"{statement}\nimport sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("name", caplab.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(caplab, name) is not None
    assert name in dir(caplab)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = caplab.Nonsense


def test_importing_caplab_loads_nothing_else_of_it() -> None:
    assert {name for name in loaded_after("import caplab") if name.startswith("caplab")} == {
        "caplab"
    }


def test_what_a_pd_needs_is_light() -> None:
    loaded = loaded_after("from caplab import Env, Message, PeerDied, Stop")
    heavy = {
        "pydantic",
        "typer",
        "rich",
        "yaml",
        "networkx",
        "caplab.kernel.core",
        "caplab.kernel.boot",
    }
    assert not heavy & loaded


def test_the_command_tells_the_version_of_the_tree() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "caplab", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert caplab.__version__ in done.stdout
