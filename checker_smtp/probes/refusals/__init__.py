"""Read one SMTP refusal: its reason, the words that decide, and whether they are against the client."""

from .reason import Reason, Refusal, Step, read_refusal
from .words import load_words

__all__ = ["Reason", "Refusal", "Step", "load_words", "read_refusal"]
