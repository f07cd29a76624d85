"""CIFAR's pickles, read without a machine that runs them.

A pickle is a program: `pickle.load` imports and calls what the file names, and numpy takes the type
of an array, pointers included, from the file. Here the program is only looked at. Of its commands
those are followed that CIFAR's files need, and nothing is built but dictionaries by text, flat
lists of text and whole numbers, and arrays of bytes with two axes.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NAMES: Final = {
    ("numpy.core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
}
"""What a pickle of an array names, in whichever version of numpy."""
AXES: Final = 2
KEYS: Final = 100
"""Keys of a dictionary; CIFAR's have five at most."""


COMMANDS_AT_MOST: Final = 1_000_000
"""Commands of a file; CIFAR-100's training set has 200,000."""


class Forbidden(ValueError):
    """A pickle asks for something else than CIFAR's files hold."""


@dataclass(frozen=True)
class _Name:
    """A function or class that the pickle names; it is never called."""

    name: str


@dataclass
class _ByteType:
    """The type of an array's elements: bytes, whatever its state says of their order."""


@dataclass
class _Array:
    """An array that waits for its content."""

    values: NDArray[np.uint8] | None = None


class _Mark:
    """Where the items of a list, tuple or dictionary begin on the stack."""


def parse(content: bytes) -> Any:
    """What a pickle holds: text as str or bytes, numbers, lists, arrays (n, m) of uint8, dicts.

    Strings of Python 2 are bytes.

    Raises:
        Forbidden: It is no such pickle; the text says what it asks for.
        ValueError: It is cut or no pickle at all.
    """
    machine = _Machine()
    for number, (operation, argument, place) in enumerate(pickletools.genops(content)):
        if number == COMMANDS_AT_MOST:
            raise Forbidden(f"it has more than {COMMANDS_AT_MOST:,} commands")
        if operation.name == "STOP":
            return _finished(machine.pop())
        command = COMMANDS.get(operation.name)
        if command is None:
            raise Forbidden(f"it has the command {operation.name} at byte {place}, no part of it")
        command(machine, argument)
    raise ValueError("it has no end")


@dataclass
class _Machine:
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack:
            raise ValueError("it takes more than it has put down")
        return self.stack.pop()

    def last(self, count: int) -> list[Any]:
        return [self.pop() for _ in range(count)][::-1]

    def since_mark(self) -> list[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[place], _Mark):
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise ValueError("it has no beginning of a list")

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise ValueError(f"it refers to {index}, which is nowhere")
        self.push(self.memo[index])

    def remember(self, index: int) -> None:
        self.push(value := self.pop())
        self.memo[index] = value

    def name(self, module: str, name: str) -> None:
        if (module, name) not in NAMES:
            raise Forbidden(f"it asks for {module}.{name}, and only arrays are let in")
        self.push(_Name(NAMES[module, name]))

    def name_from_stack(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Forbidden("it asks for something without a name")
        self.name(module, name)

    def lengthen(self, items: list[Any]) -> None:
        """Append to a list, flat, so that nothing can grow by standing in itself."""
        target = self.pop()
        if not isinstance(target, list):
            raise Forbidden("it appends to what is no list")
        for item in items:
            if not isinstance(item, int | str | bytes):
                raise Forbidden(f"a list in it holds {_kind(item)}, expected text or whole numbers")
        target += items
        self.push(target)

    def fill(self, items: list[Any]) -> None:
        target = self.pop()
        if not isinstance(target, dict) or len(items) % 2:
            raise Forbidden("it sets keys of what is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes):
                raise Forbidden(f"a key is {_kind(key)}, expected text")
            if not isinstance(value, int | str | bytes | list | _Array):
                raise Forbidden(f"{_text(key)!r} is {_kind(value)}, no part of CIFAR's files")
            target[_text(key)] = value
        if len(target) > KEYS:
            raise Forbidden(f"a dictionary in it has more than {KEYS} keys")
        self.push(target)

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        match function, arguments:
            case _Name("reconstruct"), (_Name("ndarray"), (0,), bytes() | str()):
                self.push(_Array())
            case _Name("dtype"), (str() | bytes() as kind, *_):
                if _text(kind) != "u1":
                    raise Forbidden(f"an array in it is of type {_text(kind)!r}, expected u1")
                self.push(_ByteType())
            case _:
                raise Forbidden("it calls something else than what makes an array")

    def build(self) -> None:
        state, target = self.pop(), self.pop()
        match target, state:
            case _ByteType(), tuple():
                pass  # bytes have no order, fields or alignment that could matter
            case _Array(None), (1, tuple() as shape, _ByteType(), 0, bytes() as content):
                target.values = _bytes_of(shape, content)
            case _:
                raise Forbidden("it sets the state of something else than an array of bytes")
        self.push(target)


def _bytes_of(shape: tuple[Any, ...], content: bytes) -> NDArray[np.uint8]:
    if len(shape) != AXES or not all(type(side) is int and side >= 0 for side in shape):
        raise Forbidden(f"an array in it has {len(shape)} axes, expected {AXES}, rows by pixels")
    if shape[0] * shape[1] != len(content):
        raise Forbidden(f"an array in it has {len(content):,} bytes for another shape")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _finished(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    for key, item in value.items():
        if isinstance(item, _Array):
            if item.values is None:
                raise Forbidden(f"the array {key!r} has no content")
            value[key] = item.values
    return value


def _kind(value: Any) -> str:
    return type(value).__name__.strip("_").lower()


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _old_text(machine: _Machine, argument: str) -> None:
    machine.push(argument.encode("latin-1"))


def _push(machine: _Machine, argument: Any) -> None:
    machine.push(argument)


def _nothing(machine: _Machine, argument: Any) -> None:
    pass


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    def command(machine: _Machine, argument: Any) -> None:
        machine.push(tuple(machine.last(count)))

    return command


COMMANDS: Final[dict[str, Callable[[_Machine, Any], None]]] = {
    **dict.fromkeys(("PROTO", "FRAME"), _nothing),
    **dict.fromkeys(("SHORT_BINSTRING", "BINSTRING"), _old_text),
    **dict.fromkeys(
        (
            "BININT",
            "BININT1",
            "BININT2",
            "INT",
            "BINUNICODE",
            "SHORT_BINUNICODE",
            "BINBYTES",
            "SHORT_BINBYTES",
        ),
        _push,
    ),
    "NONE": _push,
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "MARK": lambda machine, _: machine.push(_Mark()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": _tuple_of(0),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "APPEND": lambda machine, _: machine.lengthen(machine.last(1)),
    "APPENDS": lambda machine, _: machine.lengthen(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.fill(machine.last(2)),
    "SETITEMS": lambda machine, _: machine.fill(machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.remember),
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.recall),
    "GLOBAL": lambda machine, argument: machine.name(*argument.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name_from_stack(),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}
"""The commands that CIFAR's files need, by pickle's names, and what each does here."""
