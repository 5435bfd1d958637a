"""Storage of the static files in production."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Hashed and compressed files whose JavaScript modules import each other by their hashed names.

    Without the rewritten imports, a browser would load a module twice, or an old module out of its cache.
    """

    support_js_module_import_aggregation = True
