"""Every channel there is: one line each."""

from yarl import URL

from notifier.channels.contract import Channel
from notifier.channels.egress import Egress
from notifier.channels.email.channel import EmailChannel
from notifier.channels.reach import Host, Reach
from notifier.channels.slack.channel import SlackChannel
from notifier.channels.webhook.channel import WebhookChannel
from notifier.clock import Clock
from notifier.config.model import Config
from notifier.templating import Templates


def channels(
    config: Config, templates: Templates, clock: Clock, *, link_key: bytes = b""
) -> dict[str, Channel]:
    """Return the channels by name. Without an account the sandbox is the upstream: only loopback is called.

    `link_key` proves links that are given out; without one there are none.
    """
    reach = Reach.of(
        config.delivery, also=(_host_of(config.slack.api_url),), only_loopback=not config.accounts
    )
    egress, timeout_s = Egress(reach), config.delivery.timeout_s
    public_url = config.server.public_url or ""
    built: tuple[Channel, ...] = (
        WebhookChannel(templates, egress, clock, timeout_s=timeout_s),
        SlackChannel(
            templates,
            egress,
            clock,
            config=config.slack,
            timeout_s=timeout_s,
            public_url=public_url,
        ),
        EmailChannel(templates, config=config.email, public_url=public_url, link_key=link_key),
    )
    return {channel.name: channel for channel in built}


def _host_of(url: str) -> Host:
    address = URL(url)
    return str(address.host), address.port
