"""Where conversations and records are kept."""
