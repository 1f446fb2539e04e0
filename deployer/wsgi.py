"""What gunicorn serves: the application with the settings and environment variables of this process."""

from __future__ import annotations

from deployer.app import create_app
from deployer.logs import configure
from deployer.settings import SettingsError, load, surroundings

configure()
try:
    _around = surroundings()
    app = create_app(load(_around.config), redis_url=_around.redis_url)
except SettingsError as error:
    raise SystemExit(str(error)) from None
