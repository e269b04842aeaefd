"""Running a verb as several tasks on a cluster, or on this machine: splitting, submitting, following, restarting."""
