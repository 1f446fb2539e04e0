# One image for the three processes of the Procfile; the command says which one it is.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
COPY requirements.txt ./
RUN python -m venv /opt/deployer \
 && /opt/deployer/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY . .
RUN /opt/deployer/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11.14-slim-bookworm
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --shell /usr/sbin/nologin deployer \
 && install --directory --owner deployer --mode 0700 /var/cache/deployer
COPY --from=build /opt/deployer /opt/deployer
COPY config/gunicorn.conf.py /etc/deployer/gunicorn.conf.py
ENV PATH=/opt/deployer/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    DEPLOYER_CONFIG=/etc/deployer/deployer.yaml \
    DEPLOYER_DATA=/var/cache/deployer
USER 10001
WORKDIR /home/deployer
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
# web; the other two: ["python", "-m", "jobs.worker"] and ["python", "-m", "jobs.clock"], without a health check
CMD ["gunicorn", "--config", "/etc/deployer/gunicorn.conf.py", "deployer.wsgi:app"]
