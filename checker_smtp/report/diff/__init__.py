"""The difference between two checks of a domain: what changed, and whether it got worse."""
