"""Channels translate between a wire format and `Manager.handle`; they decide nothing."""
