"""The actions of the test desk, run by a real rasa-sdk server."""
