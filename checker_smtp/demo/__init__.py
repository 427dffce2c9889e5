"""A network to try the checker on: broken and healthy mail servers on loopback, inside this process."""

from .lab import RunningPosture, run_lab
from .postures import POSTURES, Posture

__all__ = ["POSTURES", "Posture", "RunningPosture", "run_lab"]
