"""Truths about records that only one side of a pair knows, each broken by hand."""

from caplab.kernel.root import truths
from caplab.kernel.root.work import WorkItem
from lab import Lab
from spaces import ask, made, parking


def system() -> Lab:
    lab = parking()
    made(lab["lot"])
    lab.checked = False
    return lab


def test_a_map_that_only_the_space_below_knows_is_seen() -> None:
    lab = system()
    [space] = lab.root.spaces.values()
    space.mapped[77] = None
    [text] = truths.maps_agree(lab.k, lab.root)
    assert text == "space 77 is not built on 16, which thinks so"


def test_an_empty_page_of_a_dead_pd_is_seen() -> None:
    lab = system()
    ask(lab["lot"], "delete", object=1)
    lab.pd("lot").state = "dead"
    [text] = truths.records_are_paid(lab.k, lab.root)
    assert text.endswith("stands empty for the dead lot")


def test_work_that_waits_for_the_dead_is_seen() -> None:
    lab = system()
    lot = lab.pd("lot")
    lot.work.append(WorkItem("free", lot, None))
    lot.state = "dead"
    [text] = truths.nothing_waits_for_the_dead(lab.k, lab.root)
    assert text == "work waits for lot, which is dead"
