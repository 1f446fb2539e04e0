"""How gunicorn serves the webhooks: `gunicorn --config config/gunicorn.conf.py deployer.wsgi:app`.

Put a proxy that speaks TLS in front of it.
"""

import os

bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8000')}"  # noqa: S104 - behind a proxy
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "deployer.web_worker.WebWorker"
threads = 64
keepalive = 5
timeout = 30
graceful_timeout = 25
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 - heartbeats off the disk
control_socket_disable = True
accesslog = None
loglevel = "warning"
