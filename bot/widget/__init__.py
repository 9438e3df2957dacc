"""The customer's widget: its files, who may embed it, and what of a conversation a customer sees."""
