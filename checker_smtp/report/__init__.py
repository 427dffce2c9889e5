"""Reports of a result in several formats. Pure functions of a result: no network, no clock."""

if __name__ != "checker_smtp.report":
    raise ImportError(
        f"{__name__!r} is a link in the source tree, not a package. Import checker_smtp.report instead."
    )
