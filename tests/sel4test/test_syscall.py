"""SYSCALL: every system call on a CNode or a notification, ten times, and nothing else changes."""

from collections.abc import Callable

import pytest

from caplab.kernel.abi import SLOT_CNODE, Status, Sys
from frames import Answer
from lab import Thread, ok
from sel4 import notification, one

Call = Callable[[], Answer | None]
FOUR_WORDS = [0, 0, 0, 0]


@pytest.fixture
def test() -> Thread:
    return one()


def ten_times(test: Thread, call: Call) -> list[Answer]:
    """Each returns, and leaves all the kernel holds for the caller as it was."""
    answers = []
    for _ in range(10):
        before = test.lab.k.state_hash()
        answer = call()
        assert answer is not None, "the call blocks"
        assert test.lab.k.state_hash() == before
        assert len(test.lab.effects) == 1
        answers.append(answer)
    return answers


def silent(test: Thread, call: Call) -> None:
    """Nothing is said: neither an error nor that nothing was done."""
    for answer in ten_times(test, call):
        assert answer[1:] == (0, b"", 0, 0, 0, (), 0)


def illegal(test: Thread, call: Call) -> None:
    """A CNode has no operation of label 0, and only a Call is told."""
    for answer in ten_times(test, call):
        assert answer.label == answer.status == Status.ILLEGAL_OPERATION


def test_yield_returns(test: Thread) -> None:
    """SYSCALL0000: Yield returns."""
    silent(test, lambda: test.syscall(Sys.YIELD))


def test_a_send_on_a_cnode_returns(test: Thread) -> None:
    """SYSCALL0001: Send on the CNode, label 0, returns and says nothing."""
    silent(test, lambda: test.send(SLOT_CNODE))


def test_an_nb_send_on_a_cnode_returns(test: Thread) -> None:
    """SYSCALL0002: NBSend on the CNode, label 0, returns and says nothing."""
    silent(test, lambda: test.nb_send(SLOT_CNODE))


def test_a_reply_to_nobody_returns(test: Thread) -> None:
    """SYSCALL0003: Reply without a caller returns and says nothing."""
    silent(test, test.reply)


def test_a_signal_on_a_cnode_returns(test: Thread) -> None:
    """SYSCALL0004: Signal on the CNode is a Send of label 0, and says nothing."""
    silent(test, lambda: test.signal(SLOT_CNODE))


def test_a_call_on_a_cnode_is_told_that_it_is_illegal(test: Thread) -> None:
    """SYSCALL0005: Call on the CNode, label 0, returns with label 3 (IllegalOperation)."""
    illegal(test, lambda: test.call(SLOT_CNODE))


@pytest.mark.parametrize("call", [Sys.RECV, Sys.REPLY_RECV, Sys.NB_RECV, Sys.WAIT])
def test_receiving_from_a_signalled_notification_returns(test: Thread, call: Sys) -> None:
    """SYSCALL0010, SYSCALL0011, SYSCALL0012, SYSCALL0013: Recv, ReplyRecv, NBRecv and Wait on a
    notification return its signal, even when the capability signalled has no badge."""
    slot = notification(test)
    for _ in range(10):
        before = test.lab.k.state_hash()
        ok(test.signal(slot))
        answer = ok(test.syscall(call, slot))
        assert (answer.notification, answer.badge, answer.nothing) == (True, 0, False)
        assert test.lab.k.state_hash() == before


def test_a_send_with_words_on_a_cnode_returns(test: Thread) -> None:
    """SYSCALL0014: SendWithMRs on the CNode returns and says nothing."""
    silent(test, lambda: test.send(SLOT_CNODE, FOUR_WORDS))


def test_an_nb_send_with_words_on_a_cnode_returns(test: Thread) -> None:
    """SYSCALL0015: NBSendWithMRs on the CNode returns and says nothing."""
    silent(test, lambda: test.nb_send(SLOT_CNODE, FOUR_WORDS))


def test_a_reply_with_words_to_nobody_returns(test: Thread) -> None:
    """SYSCALL0016: ReplyWithMRs without a caller returns and says nothing."""
    silent(test, lambda: test.reply(FOUR_WORDS))


def test_a_call_with_words_on_a_cnode_is_told_that_it_is_illegal(test: Thread) -> None:
    """SYSCALL0017: CallWithMRs on the CNode returns with label 3 (IllegalOperation)."""
    illegal(test, lambda: test.call(SLOT_CNODE, FOUR_WORDS))
