"""The JSON API, `/api/v1`: start a check, ask for it by its name, delete its result."""
