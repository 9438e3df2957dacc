"""Serving: conversations, dialogue, channels and people."""
