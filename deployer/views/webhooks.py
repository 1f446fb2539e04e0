"""POST /webhooks/<forge>: verify, understand, record, enqueue, answer. Nothing else happens before the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

import structlog
from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError

from deployer.asking import about, wish
from deployer.model import Command, Delivery, Ignored, Merge, PullRequestEvent, Rerun
from deployer.planning import concerned
from deployer.request_buffer import BODY_LIMIT
from deployer.settings import ForgeSettings, SecretUnavailable
from deployer.views.context import Context, context
from deployer.webhooks.receive import Received, Refused, receive

log = structlog.get_logger()

RETRY_AFTER_SECONDS = "5"

blueprint = Blueprint("webhooks", __name__)


@blueprint.post("/webhooks/<forge>")
def webhook(forge: str) -> ResponseReturnValue:
    """Take in one delivery."""
    here = context(current_app)
    settings = here.settings.forges.get(forge)
    if settings is None or not settings.webhooks:
        return _answer(HTTPStatus.NOT_FOUND, "error", f"no forge named {forge!r} with webhooks in the settings")
    try:
        body = _body()
    except Exception:  # whatever the server makes of chunks that are none; nothing of it is trusted yet
        return _answer(HTTPStatus.BAD_REQUEST, "error", "the body cannot be read")
    if body is None:
        return _answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "error", f"the body is over {BODY_LIMIT} bytes")
    try:
        return _take(here, forge, _receive(settings, body), body)
    except Refused as refused:
        return _refuse(here, forge, refused)
    except (RedisError, SecretUnavailable) as error:
        log.error("webhook not taken in", forge=forge, error=str(error))
        answer = _answer(HTTPStatus.SERVICE_UNAVAILABLE, "error", "cannot take in deliveries right now, send it again")
        return *answer, {"Retry-After": RETRY_AFTER_SECONDS}


def _body() -> bytes | None:
    """The raw body, or None when it is too large: one byte more than the limit is asked for, so that nothing is cut."""
    if request.headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        raise ValueError("a transfer coding other than chunked")
    if (request.content_length or 0) > BODY_LIMIT:
        return None
    body = request.stream.read(BODY_LIMIT + 1)
    return None if len(body) > BODY_LIMIT else body


def _receive(settings: ForgeSettings, body: bytes) -> Received:
    return receive(
        settings.kind,
        dict(request.headers.items()),
        body,
        webhook_secrets=[secret.reveal().encode() for secret in settings.webhook_secrets],
        signing_secrets=[secret.reveal().encode() for secret in settings.signing_secrets],
        now=datetime.now(UTC),
    )


def _refuse(here: Context, forge: str, refused: Refused) -> ResponseReturnValue:
    here.count(forge, HTTPStatus(refused.status).phrase)
    log.warning("webhook refused", forge=forge, status=refused.status, reason=str(refused), sender=request.remote_addr)
    return _answer(HTTPStatus(refused.status), "error", str(refused))


def _take(here: Context, forge: str, received: Received, body: bytes) -> ResponseReturnValue:
    event = received.event
    now = datetime.now(UTC)
    delivery = Delivery(forge, received.delivery_id, received.kept_headers, body, now, received.sender)
    if isinstance(event, Ignored):
        return _ignore(here, delivery, event)
    settings = here.settings
    found = concerned(event, forge=forge, environments=settings.environments, app_id=settings.forges[forge].app_id)
    return _ignore(here, delivery, found) if isinstance(found, Ignored) else _accept(here, delivery, event)


def _accept(
    here: Context, delivery: Delivery, event: Merge | PullRequestEvent | Rerun | Command
) -> ResponseReturnValue:
    """Record what is to be done, and have it done. What the sender may ask for is found out then, not now."""
    if here.store.arrivals.take(delivery, owed=True, what="accepted", **_known(event)):
        here.queues.plan()  # the worker's log begins where this ends; the audit has both
    return _answer(HTTPStatus.ACCEPTED, "accepted", about(event))


def _known(event: Merge | PullRequestEvent | Rerun | Command) -> dict[str, str | None]:
    """What the audit says of an event."""
    known = {"repository": event.repository, "actor": event.actor}
    match event:
        case Merge():
            return known | {"commit": event.commit}
        case PullRequestEvent():
            return known | {"commit": event.head, "request": str(event.number)}
        case Rerun():
            return known | {"commit": event.commit, "asked": wish(event)}
        case Command():
            return known | {"request": str(event.number), "asked": wish(event)}


def _ignore(here: Context, delivery: Delivery, ignored: Ignored) -> ResponseReturnValue:
    here.store.arrivals.take(delivery, owed=False, what="ignored", reason=ignored.reason)
    log.info("webhook", forge=delivery.forge, delivery=delivery.id, result="ignored", reason=ignored.reason)
    return _answer(HTTPStatus.OK, "ignored", ignored.reason)


def _answer(status: HTTPStatus, result: str, reason: str) -> tuple[dict[str, str], int]:
    return {"result": result, "reason": reason}, status
