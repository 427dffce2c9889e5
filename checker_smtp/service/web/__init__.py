"""The web page: a form, the progress of its check, and the files of the result."""
