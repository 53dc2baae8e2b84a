"""From words to a typed run: plug-in names, flags, errors of one line."""
