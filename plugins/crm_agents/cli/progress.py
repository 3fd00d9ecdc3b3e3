"""Progress of several things at once: a live list on a terminal, lines in a log file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

DONE_WORDS = ("healthy", "stopped", "done")


@contextmanager
def steps(console: Console) -> Iterator[Callable[[str, str], None]]:
    """Yield a function ``tell(name, text)`` that shows what is happening to each named thing.

    Parameters
    ----------
    console : Console
        Where to show it. On a terminal each name keeps its line; elsewhere each new text is printed once.
    """
    if not console.is_terminal:
        yield _Lines(console)
        return
    board = _Board()
    with Live(board, console=console, refresh_per_second=8, transient=False):
        yield board.tell


class _Lines:
    """Prints a line when something begins and when it is done; the words in between would fill a log."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started = time.monotonic()
        self.seen: set[tuple[str, bool]] = set()

    def __call__(self, name: str, text: str) -> None:
        event = (name, text in DONE_WORDS)
        if event not in self.seen:
            self.seen.add(event)
            seconds = time.monotonic() - self.started
            self.console.print(f"{seconds:6.1f} s  {name}: {text}", markup=False, soft_wrap=True)


class _Board:
    """A renderable list with one line for each name."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.lines: dict[str, tuple[str, float]] = {}
        self.spinner = Spinner("dots")

    def tell(self, name: str, text: str) -> None:
        if self.lines.get(name, ("", 0.0))[0] != text:
            self.lines[name] = (text, time.monotonic() - self.started)

    def __rich__(self) -> Group:
        frame = self.spinner.render(time.monotonic())
        return Group(*(self._line(frame, name, *entry) for name, entry in self.lines.items()))

    def _line(self, frame: object, name: str, text: str, seconds: float) -> Text:
        is_done = text in DONE_WORDS
        mark = Text("✓", style="green") if is_done else Text(str(frame), style="cyan")
        tail = f"{text} ({seconds:.0f} s)" if is_done else text
        return Text.assemble(mark, " ", (f"{name:<22}", "bold"), (tail, "" if is_done else "dim"))
