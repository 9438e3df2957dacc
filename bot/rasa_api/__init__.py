"""Rasa's HTTP API, for programs that were written against a Rasa server: `docs/rasa.md`."""
