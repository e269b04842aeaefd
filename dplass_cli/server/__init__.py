"""The local page: a queue of separation jobs, and the HTTP interface that the page uses."""
