"""Webhooks out, as https://www.standardwebhooks.com has them: what happened, to whom, signed, until it arrives."""
