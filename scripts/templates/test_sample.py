"""The sample server as it runs: resources, a client that dies, the model, a space taken away.

pytest test_sample.py
"""

import textwrap
from pathlib import Path

from caplab import System

PACKAGES = Path(__file__).resolve().parents[1]
MANIFEST = """
path: [{packages}]
pds:
  sample:
    run: servers.sample
  holder:
    run: ./holder.py
    serves: endpoint             # so that the system is ready when it waits, and holds
    uses: {{sample: sample}}
"""
UPON_ANOTHER = """
path: [{packages}]
pds:
  ground:
    run: servers.sample
    serves: {{space: GROUND}}
  sample:
    run: ./upon_ground.py
    serves: {{space: SAMPLE}}
    uses: {{ground: ground}}
  holder:
    run: ./holder.py
    serves: endpoint
    uses: {{sample: sample}}
"""
HOLDER = """
    from caplab.servers.sample import Sample

    def main(env):
        freed = Sample.alloc(env.endpoint("sample"))
        held = Sample.alloc(env.endpoint("sample"))
        assert held.invoke(42, 24) == "0x42"
        freed.free()
        env.endpoint("server").recv()
"""
UPON_GROUND = """
    from caplab.servers.sample.server import SampleServer

    class Upon(SampleServer):
        def init(self):
            super().init()
            self.build_on("ground")

        def destroyed(self, served):
            super().destroyed(served)
            self.env.log(f"{len(served.objects)} destroyed")

    def main(env):
        Upon(env, 10).run()
"""


def system(folder: Path, manifest: str) -> System:
    """A system of these programs, not started."""
    for name, text in (("holder", HOLDER), ("upon_ground", UPON_GROUND)):
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    (folder / "caplab.yaml").write_text(manifest.format(packages=PACKAGES))
    return System(folder / "caplab.yaml")


def resources(running: System) -> dict[str, str]:
    """The server's resources in the model, and what it says of each."""
    graph = running.graph()
    assert not graph.marked
    return {node.id: node.extra for node in graph.nodes("RESOURCE") if node.data == "SAMPLE"}


def test_a_resource_is_allocated_used_and_in_the_model(tmp_path: Path) -> None:
    with system(tmp_path, MANIFEST) as running:
        (resource,) = resources(running)
        assert set(running.graph().holders(resource)) == {"sample", "holder"}
        assert resources(running)[resource] == "invoked_1"


def test_what_a_client_held_when_it_crashed_is_freed(tmp_path: Path) -> None:
    with system(tmp_path, MANIFEST) as running:
        assert len(resources(running)) == 1
        report = running.crash("holder", "segv")
        assert "queue_work" in [action["action"] for action in report["actions"]]
        assert not report["pending"]
        assert not resources(running)
        running.assert_nothing_left_of("holder")


def test_a_space_that_a_cleanup_policy_takes_away_is_gone(tmp_path: Path) -> None:
    with system(tmp_path, UPON_ANOTHER) as running:
        assert len(resources(running)) == 1
        report = running.kill("ground", space_depth=1)
        marked = [one["target"] for one in report["actions"] if one["action"] == "mark_space"]
        assert len(marked) == 2
        assert not report["pending"]
        assert not resources(running)
        assert running.pd("sample").alive
        assert running.pd("holder").alive
        assert b"1 destroyed" in running.logs("sample")
