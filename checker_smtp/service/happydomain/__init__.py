"""The protocol of happyDomain for external checkers."""
