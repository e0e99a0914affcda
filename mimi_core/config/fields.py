"""What a field of a config takes, read from its annotation."""

from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo


def inner_type(info: FieldInfo) -> tuple[Any, bool]:
    """The type of a field without `None` and annotations, and whether it may be None."""
    annotation: Any = info.annotation
    parts = get_args(annotation) if get_origin(annotation) is not Literal else ()
    optional = type(None) in parts
    inner = next((part for part in parts if part is not type(None)), annotation) if optional else annotation
    return _bare(inner), optional


def takes_numbers(info: FieldInfo) -> bool:
    """One, or a list of them; neither a switch nor a text."""
    inner = inner_type(info)[0]
    return (_bare(get_args(inner)[0]) if get_origin(inner) is list else inner) in (int, float)


def _bare(annotation: Any) -> Any:
    """Without annotations."""
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    return annotation
