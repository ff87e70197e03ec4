"""How random tests draw: the same at each run of the suite, anew in `nox -s fuzz`."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def drawing(examples: int, *, anew: bool = False, **more: int) -> settings:
    """So many examples. A run that draws anew names the seed that repeats it when it fails."""
    return settings(
        max_examples=examples,
        derandomize=not anew,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **more,  # type: ignore[arg-type]
    )


def run(
    machine: type[RuleBasedStateMachine], examples: int, steps: int, *, anew: bool = False
) -> None:
    """So many runs of a state machine, each of so many steps at most."""
    how = drawing(examples, anew=anew, stateful_step_count=steps)
    run_state_machine_as_test(machine, settings=how)
