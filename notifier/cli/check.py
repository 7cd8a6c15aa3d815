"""`notifier check`: everything that can be known to be wrong before the daemon is started."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from notifier.cli.failure import MISUSED
from notifier.cli.options import COMMON, Common, Flag
from notifier.cli.screen import safe, say, show_json
from notifier.errors import ConfigError, Problem, StorageError, StorageLocked, TemplateError

if TYPE_CHECKING:
    from notifier.channels.contract import Channel
    from notifier.config.model import Config
    from notifier.templating import Templates


async def check(*, online: Flag = False, options: Common = COMMON) -> int:
    """Check configuration, templates, targets and storage, and tell every problem at once; exit status 2 on any.

    :param online: Also ask the upstream of each account for an order that cannot exist, and greet the mail server.
    """
    report = await examine(options.config, online=online)
    if options.json:
        problems = [
            {"path": each.path, "code": each.code, "message": each.message} for each in report.problems
        ]
        show_json({"ok": not problems, "problems": problems, "passed": report.passed})
        return MISUSED if problems else 0
    for line in report.passed:
        say(f"[green]ok[/]  {safe(line)}")
    if report.problems:
        raise ConfigError(report.problems)
    return 0


class Report:
    """What was found in order, and what was not."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.problems: list[Problem] = []

    def add(self, subject: str, problems: list[Problem]) -> None:
        """Note a subject as passed unless there are problems with it."""
        self.problems += problems
        if not problems:
            self.passed.append(subject)


async def examine(path: Path, *, online: bool) -> Report:
    """Look at everything that `path` configures."""
    from notifier.config.load import load
    from notifier.config.model import Config

    report, config = Report(), None
    try:
        config = load(path, os.environ)
        report.add(f"configuration: {path}", _exposed(config))
    except ConfigError as error:
        report.add("configuration", list(error.problems))
    # Templates and channels can be judged even if something else in the file is wrong.
    directory = config.templates.directory if config else _directory(path)
    await _channels(report, config or Config(), directory, has_targets=config is not None)
    if config:
        _keys(report, config)
        await _storage(report, config)
    if config and online:
        from notifier.cli.online import accounts, mail_server

        await accounts(report, config)
        await mail_server(report, config)
    return report


def _exposed(config: "Config") -> list[Problem]:
    from notifier.app.operator_key import check_exposure

    try:
        check_exposure(config)
    except ConfigError as error:
        return list(error.problems)
    return []


def _keys(report: Report, config: "Config") -> None:
    from notifier.source.keys import key_problems

    for name, account in config.accounts.items():
        if account.jwe_kid or account.jwe_private_keys or account.jwe_public_keys:
            kids = sorted({*account.jwe_private_keys, *account.jwe_public_keys})
            report.add(f"keys of account {name}: {', '.join(kids)}", key_problems({name: account}))


def _directory(path: Path) -> Path | None:
    """Return [templates] directory of a file that has problems elsewhere."""
    import tomllib

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("templates", {}).get("directory")
    except (OSError, ValueError, AttributeError):
        return None
    return Path(found) if isinstance(found, str) else None


async def _channels(report: Report, config: "Config", directory: Path | None, *, has_targets: bool) -> None:
    from notifier.channels.catalogue import channels as all_channels
    from notifier.clock import SystemClock
    from notifier.templating import Templates

    if directory is not None and not directory.is_dir():  # noqa: ASYNC240 - nothing else runs
        report.add("", [Problem("templates.directory", f"{directory} is no directory")])
        directory = None
    templates = Templates(directory)
    channels = all_channels(config, templates, SystemClock())
    try:
        for channel in channels.values():
            _templates(report, channel, templates)
        if has_targets:
            _targets(report, config, channels, templates)
    finally:
        for channel in channels.values():
            await channel.close()


def _templates(report: Report, channel: "Channel", templates: "Templates") -> None:
    """Render every template with a sample of every type; one named for a type or a subject, with those alone."""
    from notifier.channels.folded import TEMPLATE as DIGEST
    from notifier.domain.document import SAMPLE_TYPES

    names = [name for name in templates.names(channel.name) if not name.startswith("_")]
    problems = []
    for name in names:
        if name == DIGEST:
            problems += _digests(channel)
            continue
        own = tuple(kind for kind in SAMPLE_TYPES if kind == name or kind.startswith(f"{name}."))
        chosen, types = (None, own) if name in SAMPLE_TYPES else (name, own or SAMPLE_TYPES)
        failures = {kind: text for kind in types if (text := _failure(channel, chosen, kind))}
        for text in dict.fromkeys(failures.values()):
            kinds = [kind for kind, each in failures.items() if each == text]
            more = f" and {len(kinds) - 1} other types" if len(kinds) > 1 else ""
            problems.append(
                Problem(f"templates.{channel.name}.{name}", f"{text} ({kinds[0]}{more})", "template")
            )
    report.add(
        f"templates of {channel.name}: {', '.join(names)}, with {len(SAMPLE_TYPES)} types of events", problems
    )


def _digests(channel: "Channel") -> list[Problem]:
    """Make one message of news of several types, worse and better."""
    from notifier.channels.contract import Folding
    from notifier.domain.document import sample_event_document
    from notifier.templating import SHIPPED

    bodies = [
        channel.render(sample_event_document(kind), SHIPPED) for kind in ("order.charged", "refund.failure")
    ]
    try:
        if isinstance(channel, Folding):
            channel.fold(bodies)
    except TemplateError as error:
        return [Problem(f"templates.{channel.name}.digest", str(error), "template")]
    return []


def _failure(channel: "Channel", name: str | None, event_type: str) -> str | None:
    from notifier.domain.document import sample_event_document

    try:
        channel.render(sample_event_document(event_type), name)
    except TemplateError as error:
        return str(error)
    return None


def _targets(
    report: Report, config: "Config", channels: "dict[str, Channel]", templates: "Templates"
) -> None:
    from notifier.app.alerts import alerts_of
    from notifier.app.managed import wishes
    from notifier.app.outward import watchdog_problems
    from notifier.app.playground import ACCOUNT
    from notifier.errors import ChannelMisconfigured, InvalidValue

    accounts = dict.fromkeys(config.accounts, True) or {ACCOUNT: False}
    problems: list[Problem] = []
    for read in (lambda: wishes(config, accounts, channels), lambda: alerts_of(config, accounts)):
        try:
            read()
        except ConfigError as error:
            problems += error.problems
    for name, table in config.subscriptions.items():
        known = templates.names(table.channel)
        is_known = table.template is None or table.template in known or config.templates.over_rest
        if not is_known:
            message = f"{table.template!r} is no template of {table.channel}; there are: {', '.join(known)}"
            problems.append(Problem(f"subscriptions.{name}.template", message, "template"))
    problems += watchdog_problems(config)
    operators = config.operators
    if operators.channel and operators.address:
        try:
            channels[operators.channel].check_target(operators.address.reveal())
        except InvalidValue as error:
            problems.append(Problem("operators.target", error.problem.message, error.problem.code))
        except ChannelMisconfigured as error:
            problems.append(Problem("operators.channel", str(error)))
    report.add(f"targets: {len(config.subscriptions)} subscriptions", problems)


async def _storage(report: Report, config: "Config") -> None:
    from notifier.cli.where import database_of
    from notifier.clock import SystemClock
    from notifier.storage.engine import status

    path = database_of(config.storage, has_account=bool(config.accounts))
    if path is None:
        report.add(
            "", [Problem("storage.url", "PostgreSQL is not supported by this version; set it to sqlite:FILE")]
        )
        return
    if not path.exists():
        report.add(f"storage: {path} will be made by `notifier run`", [])
        return
    try:
        found = await status(path, clock=SystemClock(), holder="notifier check")
    except StorageLocked:
        report.add(f"storage: {path} is in use by a running daemon", [])
    except StorageError as error:
        report.add("", [Problem("storage.url", str(error), "storage")])
    else:
        _version(report, path, found.revision, found.newest)


def _version(report: Report, path: Path, revision: str | None, newest: str | None) -> None:
    if revision is None or revision == newest:
        report.add(f"storage: {path} is of the present version", [])
    elif newest is not None and revision < newest:
        report.add(
            f"storage: {path} is at {revision}; `notifier run` or `notifier db migrate` brings it to {newest}",
            [],
        )
    else:
        message = (
            f"{path} is at revision {revision}, unknown to this version; run the newer notifier that wrote it"
        )
        report.add("", [Problem("storage.url", message, "schema")])
