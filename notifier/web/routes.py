"""Every call there is, one line each."""

from aiohttp.web import StreamResponse

from notifier.errors import NotFound
from notifier.web import (
    alerts,
    backtests,
    bulk,
    clicks,
    deliveries,
    events,
    health,
    hints,
    incident_page,
    incidents,
    leaving,
    order_page,
    orders,
    page,
    replays,
    subscriptions,
    templates,
    watches,
)
from notifier.web.alert_shapes import (
    Acknowledgement,
    AlertMembers,
    Backtest,
    IncidentQuery,
    NewAlert,
    NewNormal,
    NewSilence,
    SilenceWish,
)
from notifier.web.routing import ANY_TYPE, NDJSON_TYPES, Answer, Call, Handler, Route
from notifier.web.shapes import (
    AccountQuery,
    AnyQuery,
    DeliveryQuery,
    EventQuery,
    Held,
    ListQuery,
    NewReplay,
    NewSubscription,
    NewWatch,
    ReplayWish,
    Scoped,
    SecretRotation,
    SnapshotQuery,
    SubscriptionPatch,
    TemplateWish,
    WatchPatch,
    WatchQuery,
)

_WATCH = "/v1/watches/{order_id}"
_ORDER = "/v1/orders/{order_id}"
_HINTS = "/v1/hints/juspay"
_TEMPLATE = "/v1/templates/{name}"
_SUBSCRIPTION = "/v1/subscriptions/{id}"
_ALERT = "/v1/alerts/{id}"
_LEAVE = "/v1/unsubscribe/{token}"
_INCIDENT = "/v1/incidents/{id}"


def _asked(handler: Handler) -> Handler:
    """Say of an order that is not there the id that was asked for; storage knows the folded one alone."""

    async def handle(call: Call) -> Answer | StreamResponse:
        try:
            return await handler(call)
        except NotFound as error:
            raise NotFound(str(error).replace(repr(call.order_key), repr(call.order_id), 1)) from None

    return handle


ROUTES = (
    Route("POST", "/v1/watches", watches.register, AccountQuery, NewWatch, success=(200, 201)),
    Route("POST", "/v1/watches/bulk", bulk.bulk, AccountQuery, takes=NDJSON_TYPES),
    Route("GET", "/v1/watches", watches.index, WatchQuery),
    Route("GET", _WATCH, _asked(watches.read), AccountQuery),
    Route("PATCH", _WATCH, _asked(watches.amend), AccountQuery, WatchPatch),
    Route("DELETE", _WATCH, _asked(watches.remove), AccountQuery, success=(204,)),
    Route("POST", f"{_WATCH}/poll", _asked(watches.poll), AccountQuery, Scoped, success=(202,)),
    Route("GET", _ORDER, _asked(orders.read), AccountQuery),
    Route("GET", f"{_ORDER}/snapshots", _asked(orders.snapshots), SnapshotQuery),
    Route("GET", f"{_ORDER}/timeline", _asked(orders.timeline), AccountQuery),
    Route("POST", "/v1/subscriptions", subscriptions.create, AccountQuery, NewSubscription, success=(201,)),
    Route("GET", "/v1/subscriptions", subscriptions.index, ListQuery),
    Route("GET", _SUBSCRIPTION, subscriptions.read, AccountQuery),
    Route("PATCH", _SUBSCRIPTION, subscriptions.amend, AccountQuery, SubscriptionPatch),
    Route("DELETE", _SUBSCRIPTION, subscriptions.remove, AccountQuery, success=(204,)),
    Route("POST", f"{_SUBSCRIPTION}/test", subscriptions.test, AccountQuery, Scoped, success=(202,)),
    Route("POST", f"{_SUBSCRIPTION}/pause", subscriptions.pause, AccountQuery, Scoped),
    Route("POST", f"{_SUBSCRIPTION}/resume", subscriptions.resume, AccountQuery, Scoped),
    Route("POST", f"{_SUBSCRIPTION}/disable", subscriptions.disable, AccountQuery, Scoped),
    Route("POST", f"{_SUBSCRIPTION}/enable", subscriptions.enable, AccountQuery, Held),
    Route(
        "POST", f"{_SUBSCRIPTION}/rotate-secret", subscriptions.rotate_secret, AccountQuery, SecretRotation
    ),
    Route("GET", "/v1/templates", templates.index, AccountQuery),
    Route("GET", _TEMPLATE, templates.read, AccountQuery),
    Route("PUT", _TEMPLATE, templates.put, AccountQuery, TemplateWish, success=(200, 201)),
    Route("DELETE", _TEMPLATE, templates.remove, AccountQuery, success=(204,)),
    Route("POST", f"{_SUBSCRIPTION}/replay", replays.begin, AccountQuery, NewReplay, success=(202, 200)),
    Route("GET", "/v1/events", events.index, EventQuery),
    Route("GET", "/v1/events/{id}", events.read, AccountQuery),
    Route("GET", "/v1/deliveries", deliveries.index, DeliveryQuery),
    Route("GET", "/v1/deliveries/{id}", deliveries.read, AccountQuery),
    Route(
        "POST", "/v1/deliveries/{id}/replay", replays.send_again, AccountQuery, ReplayWish, success=(202, 200)
    ),
    Route("GET", "/v1/replays/{id}", replays.read, AccountQuery),
    Route("POST", "/v1/alerts", alerts.create, AccountQuery, NewAlert, success=(201,)),
    Route("GET", "/v1/alerts", alerts.index, ListQuery),
    Route("GET", _ALERT, alerts.read, AccountQuery),
    Route("PATCH", _ALERT, alerts.amend, AccountQuery, AlertMembers),
    Route("DELETE", _ALERT, alerts.remove, AccountQuery, success=(204,)),
    Route("POST", f"{_ALERT}/backtest", backtests.backtest, AccountQuery, Backtest),
    Route("POST", f"{_ALERT}/accept", alerts.accept, AccountQuery, NewNormal, success=(202,)),
    Route("GET", "/v1/incidents", incidents.index, IncidentQuery),
    Route("GET", _INCIDENT, incidents.read, AccountQuery),
    Route("POST", f"{_INCIDENT}/ack", incidents.acknowledge, AccountQuery, Acknowledgement),
    Route("POST", f"{_INCIDENT}/silence", incidents.silence, AccountQuery, SilenceWish, success=(201,)),
    Route("GET", "/v1/silences", incidents.silences, AccountQuery),
    Route("POST", "/v1/silences", incidents.add_silence, AccountQuery, NewSilence, success=(201,)),
    Route("DELETE", "/v1/silences/{id}", incidents.end_silence, AccountQuery, success=(204,)),
    Route("POST", _HINTS, hints.receive, AnyQuery, takes=ANY_TYPE, is_keyless=True),
    Route("POST", f"{_HINTS}/{{account}}", hints.receive, AnyQuery, takes=ANY_TYPE, is_keyless=True),
    Route("POST", "/v1/slack/actions", clicks.receive, AnyQuery, takes=ANY_TYPE, is_keyless=True),
    Route("GET", _LEAVE, leaving.show, AnyQuery, is_keyless=True),
    Route("POST", _LEAVE, leaving.leave, AnyQuery, takes=ANY_TYPE, is_keyless=True),
    Route("GET", "/healthz", health.healthz, is_keyless=True),
    Route("GET", "/readyz", health.readyz, success=(200, 503), is_keyless=True),
    Route("GET", "/metrics", health.metrics),
    Route("GET", "/", page.status, is_page=True),
    Route("GET", "/incidents/{id}", incident_page.show, AccountQuery, is_page=True),
    Route("GET", "/orders/{order_id}", order_page.show, AccountQuery, is_page=True),
)
