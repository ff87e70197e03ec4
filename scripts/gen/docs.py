"""Writes docs/errors.md and docs/glossary.md from kernel/boot/catalogue.yaml.

`python -m caplab.scripts.gen.docs` writes them, `--check` only says whether they are up to date.
"""

import re
import sys
from pathlib import Path

from caplab.kernel.abi import Status
from caplab.kernel.boot.catalogue import Catalogue, Term, catalogue

PRINTED = "`caplab explain WORD` prints each of these in the terminal"
STATUSES = (
    "The kernel writes the status into the header of each answer; a sender cannot. 0 to 10 are "
    "seL4's error numbers. From 16 up they explain, in lab mode, what seL4 leaves silent, and "
    "name the PD and its generation."
)
MADE = "<!-- made by `python -m caplab.scripts.gen.docs`; edit kernel/boot/catalogue.yaml -->"
FIRST_IDL = "CL110"
DOCS = Path(__file__).resolve().parents[2] / "docs"


def pages() -> dict[str, str]:
    """The pages by their names in docs/."""
    data = catalogue()
    return {"errors.md": _errors(data), "glossary.md": _glossary(data)}


def _errors(data: Catalogue) -> str:
    parts = [
        "# Errors",
        MADE,
        f"{PRINTED}: WORD is a code, a status, a number or the name of an exception.",
        "- [Codes of manifests and interfaces](#codes)\n- [Refusals of commands](#commands)\n"
        "- [Statuses of calls](#statuses)\n"
        "- [Exceptions of the PD library](#exceptions)\n"
        + "\n".join(f"- [Refusals of the {name} server](#{name})" for name in data["services"]),
        '## <a id="codes"></a>Codes of manifests and interfaces',
        "They are found before anything runs, and shown with file, line and column.",
    ]
    for code, error in data["errors"].items():
        parts += [
            f'### <a id="{code}"></a>{code}: {error["title"]}',
            error["explanation"].strip(),
            f"For example:\n\n```{_language(code)}\n{error['example'].strip()}\n```",
            f"**Fix.** {error['fix'].strip()}",
        ]
    parts += [_commands(data), _statuses(data), _exceptions(data)]
    parts += [_service(data, name) for name in data["services"]]
    return "\n\n".join(parts) + "\n"


def _language(code: str) -> str:
    """What the examples of an error are written in: manifests, from FIRST_IDL interfaces."""
    return "c" if code >= FIRST_IDL else "yaml"


def _commands(data: Catalogue) -> str:
    rows = [
        f"| `{code}` | {_cell(each['meaning'])} | {_cell(each['do'])} |"
        for code, each in data["commands"].items()
    ]
    head = '## <a id="commands"></a>Refusals of commands\n\n| Code | Meaning | Do |'
    return "\n".join([head, "|---|---|---|", *rows])


def _statuses(data: Catalogue) -> str:
    parts = [
        '## <a id="statuses"></a>Statuses of calls',
        STATUSES,
    ]
    for name, status in data["statuses"].items():
        raised = f", raised as `{status['exception']}`" if "exception" in status else ""
        said = (("When", status["when"]), ("Do", status["do"]), ("seL4", status["sel4"]))
        parts += [
            f'### <a id="{name}"></a>{name} ({Status[name].value})',
            f"{status['meaning'].strip()}{raised and f' (In Python{raised}.)'}",
            "\n".join(f"- **{label}.** {text.strip()}" for label, text in said),
        ]
    return "\n\n".join(parts)


def _exceptions(data: Catalogue) -> str:
    rows = [
        f"| `{name}` | {_cell(each['meaning'])} | {_cell(each['do'])} |"
        for name, each in data["exceptions"].items()
    ]
    head = '## <a id="exceptions"></a>Exceptions of the PD library\n\n| Exception | Meaning | Do |'
    return "\n".join([head, "|---|---|---|", *rows])


def _service(data: Catalogue, service: str) -> str:
    rows = [
        f"| {each['number']} | {name} | {_cell(each['meaning'])} | {_cell(each['do'])} |"
        for name, each in data["services"][service].items()
    ]
    head = f'## <a id="{service}"></a>Refusals of the {service} server'
    told = "The number is the label of the server's answer (negative: the client library's own)."
    if service == "sel4rpc":
        told = "The number is the answer's errorCode; one below 64 is that of a status, as it was."
    return "\n".join(
        [head, "", told, "", "| Number | Name | Meaning | Do |", "|---|---|---|---|", *rows]
    )


def _cell(text: str) -> str:
    return text.strip().replace("|", "\\|").replace("\n", " ")


def _glossary(data: Catalogue) -> str:
    parts = ["# Glossary", MADE, f"{PRINTED}."]
    for name, term in sorted(data["glossary"].items(), key=lambda item: item[0].casefold()):
        parts.append(_term(name, term))
    return "\n\n".join(parts) + "\n"


def _term(name: str, term: Term) -> str:
    aliases = f" *(also: {', '.join(term['aliases'])})*" if term.get("aliases") else ""
    links = ", ".join(f"[{each}](#{anchor(each)})" for each in term.get("see", ()))
    see = f" See {links}." if links else ""
    return f'**<a id="{anchor(name)}"></a>{name}**{aliases}: {term["text"].strip()}{see}'


def anchor(name: str) -> str:
    """The anchor of a term in docs/glossary.md."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold())


def main(arguments: list[str]) -> int:
    """Writes the pages; with --check, says which are out of date and returns 1 if any is."""
    stale = 0
    for name, text in pages().items():
        page = DOCS / name
        if page.is_file() and page.read_text("utf-8") == text:
            continue
        stale = 1
        if "--check" in arguments:
            print(f"docs/{name} is out of date: run python -m caplab.scripts.gen.docs")
        else:
            page.write_text(text, "utf-8")
            print(f"docs/{name} written")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
