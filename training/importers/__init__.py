"""One module for each source format; every one of them ends in `transcript/1`."""
