"""Cases: record a whole check, write and read it, replay it."""
