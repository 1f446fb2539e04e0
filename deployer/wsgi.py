"""What gunicorn serves: the application with the settings and environment variables of this process."""

from __future__ import annotations

from datetime import UTC, datetime

from deployer.app import create_app
from deployer.loaded import record
from deployer.logs import configure
from deployer.settings import SettingsError, load, surroundings
from deployer.views.context import context

configure()
try:
    _around = surroundings()
    app = create_app(load(_around.config), redis_url=_around.redis_url)
    record(context(app).store.audit, _around, by="web", at=datetime.now(UTC))
except SettingsError as error:
    raise SystemExit(str(error)) from None
