"""Lets the sample server add, and says on the console what came of it."""

from caplab import Env
from caplab.servers.sample import Sample
from caplab.servers.serial import Serial


def main(env: Env, count: int = 1, hold: bool = False) -> None:
    """Allocate `count` resources and print what each makes of two numbers; free them, or hold them
    until killed.
    """
    samples = [Sample.alloc(env.endpoint("sample")) for _ in range(count)]
    with Serial.connect(env.endpoint("console")) as out:
        for sample in samples:
            out.printf("42 + 24 = %s\n", sample.invoke(42, 24))
        if hold:
            out.printf("%s holds %d\n", env.name, count)
    if hold:
        env.work.wait()  # for nothing: a client has no work
    for sample in samples:
        sample.free()
