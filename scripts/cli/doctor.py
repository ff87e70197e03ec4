"""`caplab doctor`: what this host allows, tried one by one, and what would help."""

from caplab.kernel.confine import probe
from caplab.kernel.confine.level import Finding, Impossible, Level, Part, choose
from caplab.scripts.cli import show
from caplab.scripts.cli.options import Format, OutputFormat

SERVES = {
    Part.NAMESPACES: "PDs see no process, file or segment but their own",
    Part.LANDLOCK: "PDs open no file but their code",
    Part.SECCOMP: "PDs make no system call but those they need",
}


def doctor(output: OutputFormat = Format.TEXT) -> int:
    """Try each part of confinement; exit 0 when all of `strict` is possible here, else 1."""
    return report(probe.probe(), probe.signs(), output)


def report(findings: list[Finding], signs: dict[str, str], output: Format) -> int:
    """Show what was found; the exit status."""
    choice = choose("auto", findings, signs)
    lacks = {lack.part: lack for lack in choice.lacks}
    rows = [
        {
            "part": part,
            "works": part not in lacks,
            "serves": SERVES[part],
            "why": lacks[part].why if part in lacks else "",
            "cure": lacks[part].cure if part in lacks else "",
        }
        for part in Part
    ]
    levels = {level: possible(level, findings, signs) for level in Level}
    status = 0 if levels[Level.STRICT] else 1
    if output is Format.JSON:
        show.as_json({"level": choice.level, "levels": levels, "parts": rows, "signs": signs})
        return status
    table = [(row["part"], "works" if row["works"] else "NO", row["why"] or row["serves"])
             for row in rows]  # fmt: skip
    show.table(("PART", "HERE", "SO THAT, OR WHY NOT"), table)
    show.say(f"`confinement: auto` means {choice.level} here")
    for cure in dict.fromkeys(row["cure"] for row in rows if row["cure"]):
        show.say(f"cure: {cure}")
    return status


def possible(level: Level, findings: list[Finding], signs: dict[str, str]) -> bool:
    try:
        choose(level, findings, signs)
    except Impossible:
        return False
    return True
