"""The local page: a queue of jobs around one Separator, and the HTTP interface that the page uses."""
