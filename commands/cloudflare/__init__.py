"""Client of the Cloudflare DEX commands API.

No other package sends HTTP requests to Cloudflare. The modules use requests and the standard library. They import no
Django, read no settings and know no models: a caller passes everything as typed arguments.
"""
