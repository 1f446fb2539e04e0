"""The peer of the webhook measurements: a Flask route that reads the body and does nothing else."""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)


@app.post("/webhooks/github")
def webhook() -> tuple[dict[str, int], int]:
    return {"bytes": len(request.stream.read())}, 202
