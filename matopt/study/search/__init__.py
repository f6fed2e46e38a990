"""The search: its trials, their ledger, and what runs them."""
