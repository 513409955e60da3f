"""A baseline in a process of its own, where PyTorch and the C library are as they come."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

Factory = Callable[..., Callable[[], float]]


def _serve(connection: Connection, factory: Factory, arguments: tuple[Any, ...]) -> None:
    """Prepare the variant, then measure it whenever asked; ends with the connection or after an error."""
    try:
        measure = factory(*arguments)
        connection.send((0.0, None))
        while True:
            connection.recv()
            connection.send((measure(), None))
    except EOFError:
        return
    except Exception:
        connection.send((0.0, traceback.format_exc()))


class PlainProcess:
    """Context that measures a variant in a second process, which sleeps in between.

    What the package changes in its own process, such as the handling of freed memory, does not reach there.

    Args:
        factory: called in the process; returns the function that measures once and returns a number.
        arguments: of the factory; they and the factory are pickled.

    Example:
        >>> from functools import partial
        >>> import math
        >>> with PlainProcess(partial, math.sqrt, 4.0) as process:
        ...     process.measure()
        2.0
    """

    def __init__(self, factory: Factory, *arguments: Any) -> None:
        # A forked process would inherit what was changed here.
        context = multiprocessing.get_context("spawn")
        self._connection, self._theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._theirs, factory, arguments), daemon=True)

    def __enter__(self) -> PlainProcess:
        self._process.start()
        self._theirs.close()
        try:
            self._answer()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def measure(self) -> float:
        """Measure once.

        Raises:
            RuntimeError: if that fails there, with the traceback of the process.
        """
        self._connection.send("measure")
        return self._answer()

    def _answer(self) -> float:
        try:
            number, error = self._connection.recv()
        except EOFError:
            self._process.join()
            error = f"it ended with exit code {self._process.exitcode}"
        if error is not None:
            raise RuntimeError(f"the process of a baseline failed:\n{error}")
        return float(number)

    def _end(self) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.join()
