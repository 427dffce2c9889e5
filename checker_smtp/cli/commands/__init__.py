"""The commands: each module defines the one that has its name, and is imported when it is used."""
