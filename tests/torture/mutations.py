"""Ways to spoil a file: bytes, as disks and strangers do, and values, as other programs and strangers do."""

import json
from random import Random
from typing import Any

import yaml

MOST = 20_000
"""Bytes that one mutation inserts, at most."""
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2, 255, 2**31, 2**63, -(2**63), 2**64, 10**30, 10**400, 0.0, -0.0, 0.5, 1.5, -1.5,
    1e-320, 1e300, 1e308, -1e308, float("nan"), float("inf"), float("-inf"), "", "a", "0", "1e999", "nan", "\0",
    "\ud800", "a" * 5000, "../..", "<b>", "\u202e", "2001-99-99", [], [[]], [0] * 50, ["a"], {}, {"": None}, {"a": {}},
    [None], [{}],
]  # fmt: skip
"""In the place of a value of any kind."""


def of_bytes(content: bytes, random: Random) -> bytes:
    """Flipped, cut off, zeroed, inserted, repeated, or swapped: once to a few times."""
    spoiled = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 5, 40))):
        place = random.randrange(len(spoiled) + 1)
        length = min(random.choice((1, 2, 8, 100, 3000, MOST)), len(spoiled) - place)
        match random.randrange(8):
            case 0 if place < len(spoiled):
                spoiled[place] ^= 1 << random.randrange(8)
            case 1 if place < len(spoiled):
                spoiled[place] = random.choice((0, 255, 10, 34, 91, 123, random.randrange(256)))
            case 2:
                del spoiled[place:]
            case 3:
                del spoiled[place : place + length]
            case 4:
                spoiled[place : place + length] = bytes(length)
            case 5:
                spoiled[place:place] = random.randbytes(random.choice((1, 4, 100)))
            case 6:
                spoiled[place:place] = spoiled[place : place + length]
            case 7:
                spoiled[place:place] = random.choice((b"[", b'{"a":', b"- ")) * random.choice((1, 30, 5000))
    return bytes(spoiled)


def of_value(value: Any, random: Random) -> Any:
    """The same with one value in it swapped for an odd one, a key lost, doubled or renamed, or a neighbour's number."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        match random.randrange(10):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {(random.choice(("", "x", "0", "\0")) if k == key else k): v for k, v in value.items()}
            case 2:
                return {**value, key: value[random.choice(list(value))]}
            case 3:
                return {**value, random.choice(("x", "", "version")): random.choice(ODD)}
            case _:
                return {**value, key: of_value(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.9:
        place = random.randrange(len(value))
        match random.randrange(6):
            case 0:
                return value[:place]
            case 1:
                return [*value, value[place]]
            case 2:
                return value[::-1]
            case _:
                return [*value[:place], of_value(value[place], random), *value[place + 1 :]]
    if isinstance(value, int | float) and not isinstance(value, bool) and random.random() < 0.5:
        return random.choice((value + 1, value - 1, -value, value * 2, value / 3, value * 10**6))
    return random.choice(ODD)


def of_json(content: bytes, random: Random) -> bytes:
    return json.dumps(of_value(json.loads(content), random)).encode("utf-8", "surrogatepass")


def of_lines(content: bytes, random: Random) -> bytes:
    """Of a file with one JSON a line: a value, or a whole line."""
    lines = content.splitlines()
    for _ in range(random.choice((1, 1, 3))):
        place = random.randrange(len(lines))
        match random.randrange(8):
            case 0:
                del lines[place]
            case 1:
                lines.insert(random.randrange(len(lines)), lines[place])
            case 2:
                lines[place] = of_bytes(lines[place], random)
            case 3:
                random.shuffle(lines)
            case _:
                try:
                    lines[place] = of_json(lines[place], random)
                except ValueError:
                    lines[place] = b"{}"
        if not lines:
            return b""
    return b"\n".join(lines) + b"\n"


def of_yaml(content: bytes, random: Random) -> bytes:
    try:
        return yaml.safe_dump(of_value(yaml.safe_load(content), random), sort_keys=False).encode("utf-8", "replace")
    except (ValueError, yaml.YAMLError):
        return of_bytes(content, random)
