from notifier.cli.entry import main

__all__ = ["main"]
