"""The words of YAML 1.2: what a scalar means (its core schema), so that `no` is a string."""

import re
from collections.abc import Callable

Word = None | bool | int | float | str

CORE = "tag:yaml.org,2002:"
WORDS_64 = range(-(1 << 63), 1 << 64)
"""Integers a message can carry."""

_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL = ("", "~", "null", "Null", "NULL")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class BadWord(ValueError):
    """A scalar its tag does not fit, or one that fits into no message; `code` is the error's."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code, self.message, self.fix = code, message, fix


def meaning(text: str, tag: str | None, plain: bool) -> Word:
    """The value of a scalar with this tag, written without quotes when `plain`."""
    if tag == "!" or tag == f"{CORE}str" or (tag is None and not plain):
        return text
    if tag is None:
        value = _plain(text)
    elif (convert := _TAGS.get(tag.removeprefix(CORE))) is not None and tag.startswith(CORE):
        try:
            value = convert(text)
        except (KeyError, ValueError):
            wanted = tag.removeprefix(CORE)
            raise BadWord("CL008", f"this is no !!{wanted}", "drop the tag") from None
    else:
        shown = tag.replace(CORE, "!!")
        message = f"the tag {shown} asks for an object; a manifest holds plain data"
        raise BadWord("CL008", message, "drop the tag")
    if isinstance(value, int) and value not in WORDS_64:
        message = "a whole number beyond 64 bits fits into no message"
        raise BadWord("CL013", message, "quote it, to pass it as a string")
    return value


def _plain(text: str) -> Word:
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return _int(text)
    if _FLOAT.fullmatch(text) or _SPECIAL.fullmatch(text):
        return _float(text)
    return text


def _int(text: str) -> int:
    if len(text) > 100:  # Python itself refuses thousands of digits; this is beyond 64 bits anyway
        return WORDS_64.stop
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text[2:] if base != 10 else text, base)


def _float(text: str) -> float:
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))  # Python writes inf and nan without the dot
    return float(text)


def _none(text: str) -> None:
    if text not in _NULL:
        raise ValueError(text)


_TAGS: dict[str, Callable[[str], Word]] = {
    "int": _int,
    "float": _float,
    "bool": _BOOL.__getitem__,
    "null": _none,
}
