"""Read one SMTP refusal: its reason, the words that decide, and whether they are against the client."""

from .reason import Reason, Refusal, Step, is_known_page, read_refusal
from .words import load_words

__all__ = ["Reason", "Refusal", "Step", "is_known_page", "load_words", "read_refusal"]
