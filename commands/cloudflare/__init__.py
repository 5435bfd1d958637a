"""The Cloudflare DEX commands API; the only room that speaks HTTP to Cloudflare.

Pure Python and requests: no Django, no settings, no models. Everything comes in as typed arguments.
"""
