"""The connection to Redis (or Valkey): one client for the records of this project and for RQ's queues.

Waiting for a Redis that is away must never hold a webhook, so every wait here is bounded.
"""

from __future__ import annotations

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

SECONDS_TO_CONNECT = 0.45
SECONDS_TO_ANSWER = 0.45
"""A delivery may have to wait for the batch before its own: twice this is still under a second."""


def connect(url: str) -> Redis:
    """A client that gives up in under a second, for processes that answer requests.

    Raises:
        ValueError: `url` has no scheme that redis-py knows.
    """
    return Redis.from_url(
        url,
        socket_connect_timeout=SECONDS_TO_CONNECT,
        socket_timeout=SECONDS_TO_ANSWER,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )


def connect_patiently(url: str) -> Redis:
    """A client for workers and the clock, which wait for jobs with blocking reads.

    Raises:
        ValueError: `url` has no scheme that redis-py knows.
    """
    return Redis.from_url(url, socket_connect_timeout=5, socket_keepalive=True, health_check_interval=30)
