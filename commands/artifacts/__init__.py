"""Pure: bytes in, dataclasses out; no Django, no network, bounded memory. Whoever has a device controls its files."""
