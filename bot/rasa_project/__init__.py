"""A Rasa project on disk: what becomes of its files (`deskhand migrate`), and the parts of them that stay in use."""
