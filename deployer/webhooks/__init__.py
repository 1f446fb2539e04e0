"""Webhooks: headers, raw bytes and secrets in, an event out. Pure; `receive` is the front door."""
