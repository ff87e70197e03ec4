"""The long and the wide runs: `nox -s SESSION`. The everyday run is ./scripts/test."""

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["check", "tests"]


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """The suite on every Python that is installed here."""
    session.install("-e", ".[dev]")
    session.run("pytest", *session.posargs)


@nox.session
def check(session: nox.Session) -> None:
    """Form, habits and types."""
    session.run("./scripts/check", external=True)


@nox.session
def crash(session: nox.Session) -> None:
    """The exhaustive crash run: every PD killed at each of its calls, in every way. Long."""
    session.install("-e", ".[dev]")
    session.run("pytest", "tests/systems", "-m", "crash", "--timeout=0", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """The core and the wire, looked at for longer than every day, and each time anew.

    `nox -s fuzz -- --hypothesis-seed=N` is one run of the core again.
    """
    session.install("-e", ".[dev]")
    session.run("pytest", "tests/core", "-m", "fuzz and slow", "--timeout=0", *session.posargs)
    examples = {"CAPLAB_FUZZ": "40000"}
    wire = "tests/host/test_wire_fuzz.py"
    session.run("pytest", wire, "--timeout=0", *session.posargs, env=examples)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that take longer than ten seconds each."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-m", "slow", "--timeout=600", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Every branch of the pure kernel is taken by its own tests, or this fails."""
    session.run("./scripts/coverage", external=True)
