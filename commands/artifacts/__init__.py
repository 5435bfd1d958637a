"""Readers of result files: bytes in, dataclasses out, with bounded memory.

These modules import no Django and open no connection. They treat every file as hostile, because the owner of a device
controls what the device uploads.
"""
