"""The view model of a report: its order and its words, which the text and the HTML page share."""
