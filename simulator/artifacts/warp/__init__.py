"""The files of a WARP diag, by what they are about."""
