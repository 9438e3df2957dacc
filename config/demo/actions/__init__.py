"""Custom actions of the demo shop; in config/demo: `python -m rasa_sdk --actions actions`."""
