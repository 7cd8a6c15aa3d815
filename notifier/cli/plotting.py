"""Where a verb may write a picture."""

from pathlib import Path

from notifier.cli.options import Misuse

_ENDINGS = {".png", ".svg"}


def check_plot(plot: Path) -> None:
    """Raise Misuse where no picture can be written, before there is one."""
    from notifier.simulation import plot as needed

    del needed  # without its library there is no use in beginning
    if plot.suffix.lower() not in _ENDINGS or not plot.absolute().parent.is_dir():
        raise Misuse(f"--plot {plot} is no .png or .svg file in a directory that exists")
