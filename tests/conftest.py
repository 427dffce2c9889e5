"""For every test: hypothesis tries the same examples each time, so that a run that passed passes again.

New examples are looked for with `pytest --hypothesis-profile=explore`.
"""

from hypothesis import settings

settings.register_profile("explore", deadline=None)
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
