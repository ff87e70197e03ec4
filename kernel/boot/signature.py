"""Whether the `args` of a manifest fit the parameters of `main`, by its syntax tree alone.

User code is never imported before its PD runs it. What cannot be known without importing (a
`main` that is imported, assigned or decorated; an annotation of the user's own) is not judged.
"""

import ast
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parameter:
    name: str
    required: bool
    annotation: ast.expr | None


@dataclass(frozen=True)
class Signature:
    """The parameters of a PD's entry function, the first (its Env) apart."""

    node: ast.FunctionDef
    env: str
    parameters: Mapping[str, Parameter]
    any_keyword: bool


class NoEntry(LookupError):
    """The module has no function of the name, or none that can be a PD's entry."""

    def __init__(self, code: str, message: str, fix: str, line: int = 0) -> None:
        super().__init__(message)
        self.code, self.message, self.fix, self.line = code, message, fix, line


@dataclass(frozen=True)
class Misfit:
    """One argument that does not fit; `name` is its key, or empty for one that is missing."""

    code: str
    message: str
    fix: str
    name: str
    near: Sequence[str] = ()


def read(tree: ast.Module, function: str) -> Signature | None:
    """The signature of a module's function, None when it cannot be known. Raises NoEntry."""
    bound = [node for node in _top_level(tree.body) if _binds(node, function)]
    if not bound:
        if any(isinstance(node, ast.ImportFrom) and _is_star(node) for node in tree.body):
            return None
        there = [n.name for n in _top_level(tree.body) if isinstance(n, ast.FunctionDef)]
        raise NoEntry(
            "CL033",
            f"it has no function {function}",
            f"define  def {function}(env): …"
            + (f"; its functions are {', '.join(there[:10])}" if there else ""),
        )
    node = bound[-1]
    if isinstance(node, ast.AsyncFunctionDef):
        message = f"its {function} is an async function; nothing would await it"
        raise NoEntry("CL033", message, f"write  def {function}(env, …): calls block", node.lineno)
    if isinstance(node, ast.ClassDef):
        raise NoEntry("CL033", f"its {function} is a class", "name a function", node.lineno)
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return None
    return _signature(node)


def misfits(signature: Signature, args: Mapping[str, Any]) -> list[Misfit]:
    """The arguments of a manifest that its main would refuse."""
    found = []
    known = signature.parameters
    for name, value in args.items():
        if name == signature.env:
            message = f"`{name}` is given by caplab: it is the PD's environment"
            found.append(Misfit("CL035", message, "remove it", name))
        elif name not in known:
            if not signature.any_keyword:
                has = f"its parameters are {', '.join(known)}" if known else "it takes none"
                message = f"main has no parameter `{name}`; {has}"
                found.append(Misfit("CL035", message, "remove it", name, tuple(known)))
        elif (annotation := known[name].annotation) is not None and not fits(value, annotation):
            wanted = _unquoted(annotation)
            message = f"`{name}` is {reprlib.repr(value)}; main takes {ast.unparse(wanted)}"
            found.append(Misfit("CL037", message, _retyped(name, value, wanted), name))
    missing = [one.name for one in known.values() if one.required and one.name not in args]
    if missing:
        given = ", ".join(f"{name}: …" for name in missing)
        names = ", ".join(f"`{name}`" for name in missing)
        message = (
            f"main needs {names}, and `args` does not give {'it' if missing[1:] == [] else 'them'}"
        )
        found.append(Misfit("CL036", message, f"write  args: {{{given}}}", ""))
    return found


def fits(value: Any, annotation: ast.expr) -> bool:
    """Whether a value of a manifest is of an annotated type; true of a type that is not known."""
    annotation = _unquoted(annotation)
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return value is None
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return fits(value, annotation.left) or fits(value, annotation.right)
    if isinstance(annotation, ast.Subscript):
        return _fits_generic(value, annotation)
    name = _last_name(annotation)
    if name == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if name == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    exact = {"str": str, "bool": bool, "list": list, "dict": dict}.get(name)
    return exact is None or isinstance(value, exact)


def _fits_generic(value: Any, annotation: ast.Subscript) -> bool:
    of = annotation.slice
    parts = of.elts if isinstance(of, ast.Tuple) else [of]
    match _last_name(annotation.value):
        case "Optional":
            return value is None or fits(value, of)
        case "Union":
            return any(fits(value, part) for part in parts)
        case "Annotated":
            return fits(value, parts[0])
        case "Literal":
            constants = [part.value for part in parts if isinstance(part, ast.Constant)]
            return len(constants) < len(parts) or any(
                value == one and type(value) is type(one) for one in constants
            )
        case "list" | "List" | "Sequence":
            return isinstance(value, list) and all(fits(each, of) for each in value)
        case "dict" | "Dict" | "Mapping" if len(parts) == 2:
            return isinstance(value, dict) and all(fits(v, parts[1]) for v in value.values())
    return True


def _signature(node: ast.FunctionDef) -> Signature:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    if not positional:
        if arguments.vararg is not None:
            return Signature(node, "", {}, True)
        message = f"its {node.name} takes no environment"
        raise NoEntry("CL034", message, f"write  def {node.name}(env, …)", node.lineno)
    without = len(positional) - len(arguments.defaults)
    for each in arguments.posonlyargs[1:without]:
        message = f"its {node.name} takes `{each.arg}` by position only; args are keywords"
        raise NoEntry("CL034", message, "move the / before it", node.lineno)
    found = [
        Parameter(each.arg, index < without, each.annotation)
        for index, each in enumerate(positional)
        if index >= max(1, len(arguments.posonlyargs))
    ]
    found += [
        Parameter(each.arg, default is None, each.annotation)
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    parameters = {each.name: each for each in found}
    any_keyword = arguments.kwarg is not None
    return Signature(node, positional[0].arg, parameters, any_keyword)


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, those in an `if` or a `try` too."""
    for node in body:
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from _top_level(getattr(node, name, ()))
        for handler in getattr(node, "handlers", ()):
            yield from _top_level(handler.body)


def _binds(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name == name
    if isinstance(node, ast.Import | ast.ImportFrom):
        return any((alias.asname or alias.name.split(".")[0]) == name for alias in node.names)
    targets: Sequence[ast.expr] = ()
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return any(isinstance(each, ast.Name) and each.id == name for each in targets)


def _is_star(node: ast.ImportFrom) -> bool:
    return node.names[0].name == "*"


def _unquoted(annotation: ast.expr) -> ast.expr:
    """An annotation written as a string, read; one that cannot be read is of no known type."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value, mode="eval").body
        except (SyntaxError, ValueError):
            return ast.Name("unknown")
    return annotation


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _retyped(name: str, value: Any, annotation: ast.expr) -> str:
    wanted = _last_name(annotation)
    if wanted == "str" and isinstance(value, int | float):
        return f'quote it:  {name}: "{value}"'
    if wanted in ("int", "float") and isinstance(value, str) and value.strip("-").isdigit():
        return f"drop the quotes:  {name}: {value}"
    return f"give it a value of that type, or change {name} in main"
