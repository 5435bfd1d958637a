"""Files of a WARP diag, grouped by subject."""
