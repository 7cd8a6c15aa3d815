"""The command `notifier`: its verbs, and the one place where errors become an exit status."""

import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, Parameter

from notifier import __version__
from notifier.cli.alerts import alerts
from notifier.cli.check import check
from notifier.cli.daemon import demo, run, sandbox
from notifier.cli.database import db
from notifier.cli.failure import FAILED, INTERRUPTED, lines_of, single, status_of
from notifier.cli.keys import keys
from notifier.cli.reading import deliveries, events, explain
from notifier.cli.rendering import render
from notifier.cli.replaying import replay
from notifier.cli.simulating import simulate
from notifier.cli.subscription import subscription
from notifier.cli.verifying import verify
from notifier.cli.watch import watch

app = App(
    name="notifier",
    help="Watches Juspay orders and tells of every change by signed callbacks, Slack and e-mail.",
    version=__version__,
    default_parameter=Parameter(negative=()),
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
for verb in (
    run,
    check,
    sandbox,
    demo,
    watch,
    subscription,
    explain,
    events,
    deliveries,
    replay,
    render,
    simulate,
    alerts,
    verify,
    db,
    keys,
):
    app.command(verb)


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the verb that the command line names and return the exit status: 0 done, 1 failed, 2 wrong use."""
    given = sys.argv[1:] if tokens is None else list(tokens)
    try:
        status = app(given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; without this the interpreter complains once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as group:  # noqa: BLE001 - the last line of defence is ours
        error = single(group)
        if "--debug" in given:
            traceback.print_exception(error)
        for line in lines_of(error):
            sys.stderr.write(f"notifier: {line}\n")
        return status_of(error)
    return status or 0
